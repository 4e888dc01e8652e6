"""All records by job id, in SQLite: 200,000 take no more memory than 1,000, and a restart finds them again.

Unfinished jobs are also kept in memory, as the objects that were put in. The number of jobs in the queue limits them.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gateway.index.database import open_database
from gateway.index.position import Position
from gateway.index.recipe_key import Key, recipe_key
from shared.messages import JobRecord, JobStatus, Recipe
from shared.records import Entry, decode_record, encode_record
from shared.version import VERSION

# Charges count against an API key's daily quota for this long.
QUOTA_DAY = timedelta(days=1)

# Times are milliseconds, as on the wire. `spare`: the record has ended and keeps no audio. `recipe` and `piece`, which
# is the recipe with any seed: of jobs whose files can answer equal ones.
# The database keeps what this code computes, so another version, or a recipe with other fields, makes it again.
SCHEMA = f"""
-- {VERSION} {" ".join(Recipe.__struct_fields__)}
CREATE TABLE jobs (
    job_id TEXT NOT NULL, revision INTEGER NOT NULL, status TEXT NOT NULL, owner TEXT,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, changed_at INTEGER,
    charged REAL NOT NULL, spare INTEGER NOT NULL, checkpoint TEXT, recipe BLOB, piece BLOB, parent TEXT,
    content BLOB NOT NULL);
CREATE UNIQUE INDEX by_id ON jobs (job_id);
CREATE INDEX by_revision ON jobs (revision);
CREATE INDEX by_age ON jobs (created_at, job_id);
CREATE INDEX by_status ON jobs (status, created_at, job_id);
CREATE INDEX by_owner ON jobs (owner, created_at, job_id) WHERE owner IS NOT NULL;
CREATE INDEX by_owner_and_status ON jobs (owner, status, created_at, job_id);
CREATE INDEX by_charge ON jobs (owner, created_at, charged) WHERE owner IS NOT NULL AND charged > 0;
CREATE INDEX by_spare ON jobs (created_at, job_id) WHERE spare;
CREATE INDEX by_recipe ON jobs (recipe, revision) WHERE recipe IS NOT NULL;
CREATE INDEX by_piece ON jobs (piece, revision) WHERE piece IS NOT NULL;
CREATE INDEX by_parent ON jobs (parent, created_at, job_id) WHERE parent IS NOT NULL;
CREATE TABLE feed (created TEXT NOT NULL, revision INTEGER NOT NULL, moment TEXT NOT NULL);
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class FeedPosition(NamedTuple):
    """How far the table has followed the bucket.

    Attributes:
        created: when the bucket was created.
        revision: the last one that was applied.
        moment: when that was, by the broker's clock.
    """

    created: datetime
    revision: int
    moment: datetime


class RecordTable:
    """Entries by job id, in the database of `connection`, by default a temporary one.

    Changes belong to a transaction that `save` ends, together with the feed's position.
    """

    def __init__(self, connection: sqlite3.Connection | None = None) -> None:
        self._database = connection or open_database(None, SCHEMA)
        self._unfinished: dict[str, Entry] = {}
        self._all: Counter[JobStatus] = Counter()
        self._owned: defaultdict[str, Counter[JobStatus]] = defaultdict(Counter)
        for owner, status, count in self._rows("SELECT owner, status, count(*) FROM jobs GROUP BY owner, status"):
            self._count(owner, JobStatus(status), count)
        self._database.execute("BEGIN")

    def close(self) -> None:
        """Close the database; what was not saved is dropped, and read again from the bucket."""
        self._database.close()

    def position(self) -> FeedPosition | None:
        """The position of the last `save`; None before the first one."""
        for created, revision, moment in self._rows("SELECT created, revision, moment FROM feed"):
            return FeedPosition(datetime.fromisoformat(created), revision, datetime.fromisoformat(moment))
        return None

    def save(self, position: FeedPosition) -> None:
        """Commit all changes."""
        self._database.execute("DELETE FROM feed")
        values = (position.created.isoformat(), position.revision, position.moment.isoformat())
        self._database.execute("INSERT INTO feed VALUES (?, ?, ?)", values)
        self._database.execute("COMMIT")
        self._database.execute("BEGIN")

    def clear(self) -> None:
        """Forget all records and the position."""
        self._database.execute("DELETE FROM feed")
        self._database.execute("DELETE FROM jobs")
        self._unfinished.clear()
        self._all.clear()
        self._owned.clear()

    def resume(self, count: int) -> Iterator[tuple[Entry, datetime | None]]:
        """The last `count` changed records and all unfinished ones, oldest change first, with their `changed_at`.

        Called once, after a start with a kept database: `entry` returns these objects of unfinished jobs from then on.
        """
        rows = self._rows(
            "SELECT content, revision, changed_at FROM jobs WHERE revision IN ("
            "SELECT revision FROM jobs WHERE status IN ('queued', 'processing') UNION "
            "SELECT revision FROM (SELECT revision FROM jobs ORDER BY revision DESC LIMIT ?)) ORDER BY revision",
            count,
        )
        for content, revision, changed_at in rows:
            entry = Entry(decode_record(content), revision)
            if not entry.record.status.is_terminal:
                self._unfinished[entry.record.job_id] = entry
            yield entry, None if changed_at is None else _moment(changed_at)

    def put(self, entry: Entry) -> None:
        """Add a record, or replace the one of the same job."""
        record, revision = entry
        self.remove(record.job_id)
        is_shared = record.can_be_shared
        values = (
            record.job_id,
            revision,
            record.status,
            record.owner,
            _milliseconds(record.created_at),
            _milliseconds(record.updated_at),
            None,
            charged_seconds(record),
            record.status.is_terminal and not record.keeps_audio,
            record.checkpoint,
            recipe_key(record) if is_shared else None,
            recipe_key(record, any_seed=True) if is_shared else None,
            record.recipe.parent,
            encode_record(record),
        )
        self._database.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        self._count(record.owner, record.status, 1)
        if not record.status.is_terminal:
            self._unfinished[record.job_id] = entry

    def remove(self, job_id: str) -> None:
        """Forget a job, known or not."""
        self._unfinished.pop(job_id, None)
        for owner, status in self._rows("DELETE FROM jobs WHERE job_id = ? RETURNING owner, status", job_id):
            self._count(owner, JobStatus(status), -1)

    def note_changed(self, job_id: str, changed_at: datetime) -> None:
        """Keep the time of a job's last change by the broker's clock."""
        values = (_milliseconds(changed_at), job_id)
        self._database.execute("UPDATE jobs SET changed_at = ? WHERE job_id = ?", values)

    def entry(self, job_id: str) -> Entry | None:
        """The record and its revision. For an unfinished job it is the same object that `put` received."""
        if found := self._unfinished.get(job_id):
            return found
        for content, revision in self._rows("SELECT content, revision FROM jobs WHERE job_id = ?", job_id):
            return Entry(decode_record(content), revision)
        return None

    def revision(self, job_id: str) -> int | None:
        """The revision of a job's record; None if there is none."""
        if found := self._unfinished.get(job_id):
            return found.revision
        for (revision,) in self._rows("SELECT revision FROM jobs WHERE job_id = ?", job_id):
            return int(revision)
        return None

    def checkpoint(self, job_id: str) -> str | None:
        """The checkpoint that a job was generated with, if the worker named one."""
        for (checkpoint,) in self._rows("SELECT checkpoint FROM jobs WHERE job_id = ?", job_id):
            return str(checkpoint) if checkpoint is not None else None
        return None

    def unfinished(self) -> list[Entry]:
        """Every job that has not ended, in the order of `put`."""
        return list(self._unfinished.values())

    def owners(self) -> list[str]:
        """The names of API keys that have records."""
        return [owner for owner, counts in self._owned.items() if counts.total()]

    def count(self, status: JobStatus | None, owner: str | None = None) -> int:
        """The number of jobs of an owner, or of all; with `status`, of those that have it."""
        counts = self._all if owner is None else self._owned.get(owner, Counter[JobStatus]())
        return counts.total() if status is None else counts[status]

    def job_ids(self) -> set[str]:
        """The id of every job."""
        return {job_id for (job_id,) in self._rows("SELECT job_id FROM jobs")}

    def older_than(self, revision: int) -> list[str]:
        """The jobs whose records last changed before `revision`."""
        return [job_id for (job_id,) in self._rows("SELECT job_id FROM jobs WHERE revision < ?", revision)]

    def newest(
        self, limit: int, status: JobStatus | None, before: Position | None, owner: str | None
    ) -> list[JobRecord]:
        """Up to `limit` records older than `before`, newest first."""
        query, values = "SELECT content FROM jobs WHERE true", list[object]()
        if owner is not None:
            query, values = query + " AND owner = ?", [owner]
        if status is not None:
            query, values = query + " AND status = ?", [*values, status]
        if before is not None:
            query += " AND (created_at, job_id) < (?, ?)"
            values += [_milliseconds(before.created_at), before.job_id]
        query += " ORDER BY created_at DESC, job_id DESC LIMIT ?"
        return [decode_record(content) for (content,) in self._rows(query, *values, limit)]

    def charges(self, owner: str, since: datetime) -> list[tuple[datetime, float]]:
        """The owner's jobs created at or after `since` that count for the day: creation time and seconds of audio."""
        query = "SELECT created_at, charged FROM jobs WHERE owner = ? AND charged > 0 AND created_at >= ?"
        rows = self._rows(f"{query} ORDER BY created_at", owner, _milliseconds(since))
        return [(_moment(created_at), charged) for created_at, charged in rows]

    def spare(self, owner: str | None, unchanged_since: datetime, created_before: datetime) -> Iterator[Entry]:
        """Ended jobs without audio of their own that last changed before `unchanged_since`, oldest first.

        With an owner, its jobs that count for the day are left out unless they were created before `created_before`.
        Consume the iterator before the next await: the table may change then.
        """
        query = "SELECT content, revision FROM jobs WHERE spare AND updated_at < ?"
        values: list[object] = [_milliseconds(unchanged_since)]
        if owner is not None:
            query += " AND owner = ? AND (charged = 0 OR created_at <= ?)"
            values += [owner, _milliseconds(created_before)]
        for content, revision in self._rows(f"{query} ORDER BY created_at, job_id", *values):
            yield Entry(decode_record(content), revision)

    def shareable(self, key: Key) -> Iterator[str]:
        """The jobs with stored audio of a recipe, newest first."""
        rows = self._rows("SELECT job_id FROM jobs WHERE recipe = ? ORDER BY revision DESC", key)
        return (job_id for (job_id,) in rows)

    def shareable_any_seed(self, key: Key) -> Iterator[str]:
        """The jobs with stored audio of a recipe with any seed, newest first; `key` is made with `any_seed`."""
        rows = self._rows("SELECT job_id FROM jobs WHERE piece = ? ORDER BY revision DESC", key)
        return (job_id for (job_id,) in rows)

    def children(self, job_id: str) -> list[JobRecord]:
        """The jobs that were made of this one, oldest first."""
        query = "SELECT content FROM jobs WHERE parent = ? ORDER BY created_at, job_id"
        return [decode_record(content) for (content,) in self._rows(query, job_id)]

    def _rows(self, query: str, *values: object) -> sqlite3.Cursor:
        return self._database.execute(query, values)

    def _count(self, owner: str | None, status: JobStatus, change: int) -> None:
        self._all[status] += change
        if owner is not None:
            self._owned[owner][status] += change


def charged_seconds(record: JobRecord) -> float:
    """The requested duration if the job counts against its key's daily quota, else 0.

    Jobs that were answered from the cache, that failed, or that were cancelled before their first attempt are free.
    """
    if record.source is not None or record.status is JobStatus.FAILED:
        return 0.0
    if record.status is JobStatus.CANCELLED and record.attempts == 0:
        return 0.0
    return record.recipe.duration


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
