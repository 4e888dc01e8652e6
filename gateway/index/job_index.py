"""A copy of all job records, kept current by the bucket's feed, so that status polls cost no broker request.

The bucket is the source of truth: changes are written there. This gateway's own writes are applied at once, so that
clients read their own writes.

`Records` reads and writes the bucket. `RecordStore` writes through it, then updates `JobIndex`. The index keeps the
records in a `RecordTable`, and unfinished jobs by queue and recipe as well. `Views` reads the index only.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from datetime import datetime, timedelta

from nats.aio.client import Client

from gateway.index.estimator import Estimator, QueuePlace
from gateway.index.position import Position
from gateway.index.recipe_index import REMEMBERED, RecipeIndex
from gateway.index.recipe_key import Key
from gateway.index.record_table import FeedPosition, RecordTable
from gateway.index.waiting_jobs import ModelPriority, WaitingJobs
from shared import subjects
from shared.errors import UnavailableError
from shared.job_id import is_job_id
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus, now
from shared.record_feed import STREAM, Batch, Change, decode_change, read_feed
from shared.records import MARKER_TTL, Entry
from shared.stream_info import StreamSnapshot, read_stream, read_subjects

log = get_logger(__name__)

# Seconds that `wait_for` waits for a change that the broker already has.
WAIT_TIMEOUT = 2.0
# After an outage of the feed longer than this, deletion markers may have expired: the bucket's keys are read again.
REREAD_AFTER = timedelta(seconds=MARKER_TTL / 2)
# Seconds between two attempts to restart the feed.
RETRY_DELAY = 1.0


class JobIndex:
    """A mirror of the bucket `music_jobs`. `owner` restricts a query to the jobs of one API key name; None means all.

    Attributes:
        damaged: the revisions of damaged records by job id. The index keeps the last sound record of these jobs.
    """

    def __init__(self, estimator: Estimator, table: RecordTable | None = None) -> None:
        self.estimator = estimator
        self.by_recipe = RecipeIndex()
        self.damaged: dict[str, int] = {}
        self._table = table or RecordTable()
        self._waiting = WaitingJobs(self._duration_of)
        self._feed_task: asyncio.Task[None] | None = None
        self._created: datetime | None = None  # when the bucket was created
        self._last_revision = 0  # the latest that the feed delivered
        self._feed_lost_since: datetime | None = None  # None while the feed works
        self._advanced = asyncio.Event()
        self._changed_at: dict[str, datetime] = {}
        self._broker_time, self._broker_time_at = now(), time.monotonic()  # own clock until the feed starts
        if position := self._table.position():
            self._continue_from(position)

    def _continue_from(self, position: FeedPosition) -> None:
        """Take over what an earlier process kept in the table."""
        self._created, self._last_revision, self._feed_lost_since = position
        # Enough for what is only in memory: estimates, and jobs whose terminal event may be missing.
        for entry, changed_at in self._table.resume(REMEMBERED):
            self._add_to_memory(entry)
            if changed_at is not None and not entry.record.status.is_terminal:
                self._changed_at[entry.record.job_id] = changed_at

    def entry(self, job_id: str) -> Entry | None:
        """The record and its revision in the index; `RecordStore.fetch` reads the bucket."""
        return self._table.entry(job_id)

    def keeper(self, record: JobRecord) -> JobRecord | None:
        """The record that keeps the job's files: its own, or its source's if that still exists."""
        return record if record.source is None else self.record(record.source)

    def has_expired(self, record: JobRecord) -> bool:
        """Whether the job's audio was removed."""
        keeper = self.keeper(record)
        return record.audio is not None and (keeper is None or keeper.expired_at is not None)

    def has_lost(self, record: JobRecord, key: str) -> bool:
        """Whether the job's file under this storage key is marked as lost."""
        keeper = self.keeper(record)
        return keeper is not None and key in keeper.lost

    def __contains__(self, job_id: str) -> bool:
        return self._table.revision(job_id) is not None

    def record(self, job_id: str) -> JobRecord | None:
        """The record in the index."""
        entry = self._table.entry(job_id)
        return entry.record if entry else None

    def checkpoint(self, job_id: str) -> str | None:
        """The checkpoint that a job was generated with, if the worker named one."""
        return self._table.checkpoint(job_id)

    def count(self, status: JobStatus | None, owner: str | None = None) -> int:
        return self._table.count(status, owner)

    def newest(
        self, limit: int, status: JobStatus | None, before: Position | None, owner: str | None = None
    ) -> list[JobRecord]:
        """Up to `limit` records older than `before`, newest first."""
        return self._table.newest(limit, status, before, owner)

    def charges(self, owner: str, since: datetime) -> list[tuple[datetime, float]]:
        """The owner's jobs created at or after `since` that count for the day: creation time and seconds of audio."""
        return self._table.charges(owner, since)

    def owners(self) -> list[str]:
        """The names of API keys that have records."""
        return self._table.owners()

    def spare(self, owner: str | None, unchanged_since: datetime, created_before: datetime) -> Iterator[Entry]:
        """See `RecordTable.spare`."""
        return self._table.spare(owner, unchanged_since, created_before)

    def shareable(self, key: Key) -> Iterator[str]:
        """The jobs with stored audio of a recipe, newest first. Consume the iterator before the next await."""
        return self._table.shareable(key)

    def shareable_any_seed(self, key: Key) -> Iterator[str]:
        """The jobs with stored audio of a recipe with any seed; `key` is made with `any_seed`."""
        return self._table.shareable_any_seed(key)

    def children(self, job_id: str) -> list[JobRecord]:
        """The jobs that were made of this one, oldest first."""
        return self._table.children(job_id)

    def queue_place(self, record: JobRecord) -> QueuePlace:
        """The job's place among the queued jobs of its model."""
        return self._waiting.place(record)

    def unfinished(self) -> list[Entry]:
        """Every job that has not ended."""
        return self._table.unfinished()

    def changed_at(self, job_id: str) -> datetime | None:
        """When an unfinished job last changed, by the broker's clock; None if unknown."""
        return self._changed_at.get(job_id)

    def broker_time(self) -> datetime:
        """The current time by the broker's clock, so that a wrong clock on this machine affects no job."""
        return self._broker_time + timedelta(seconds=time.monotonic() - self._broker_time_at)

    def queued(self) -> Counter[ModelPriority]:
        """The number of jobs that wait for a worker, by model and priority."""
        return self._waiting.counts()

    def feed_outage(self) -> timedelta:
        """How long the feed has been down."""
        return timedelta(0) if self._feed_lost_since is None else self.broker_time() - self._feed_lost_since

    def oldest_waits(self) -> dict[ModelPriority, float]:
        """The age of the oldest queued job in seconds, by model and priority."""
        moment, oldest = self.broker_time(), self._waiting.oldest()
        return {key: max((moment - created_at).total_seconds(), 0.0) for key, created_at in oldest.items()}

    def apply(self, entry: Entry) -> None:
        """Add or replace a record, unless the index has the same or a newer revision."""
        record = entry.record
        known = self._table.revision(record.job_id)
        if known is not None and known >= entry.revision:
            return
        if known is not None:
            self.discard(record.job_id)  # its creation time may differ
        if self.damaged.get(record.job_id, entry.revision) < entry.revision:
            del self.damaged[record.job_id]
        self._table.put(entry)
        self._add_to_memory(entry)

    def _add_to_memory(self, entry: Entry) -> None:
        self.by_recipe.add(entry.record, entry.revision)
        if _is_in_queue(entry.record):
            self._waiting.add(entry.record)
        self.estimator.observe(entry.record)

    def discard(self, job_id: str) -> None:
        """Remove a job whose record was deleted."""
        record = self.record(job_id)
        if record is None:
            return
        self._table.remove(job_id)
        self._changed_at.pop(job_id, None)
        self.estimator.forget(record)
        self.by_recipe.remove(record)
        if _is_in_queue(record):
            self._waiting.remove(record)

    def forget_before(self, revision: int) -> None:
        """Remove records older than the bucket's first revision: its TTL and purges send no notice."""
        self.damaged = {job_id: at for job_id, at in self.damaged.items() if at >= revision}
        for job_id in self._table.older_than(revision):
            if job_id not in self.damaged:  # this copy repairs the damaged record
                self.discard(job_id)

    async def start_feed(self, client: Client) -> None:
        """Read all records, or the changes since the last call, then follow every change until `stop_feed`.

        Raises:
            UnavailableError: if NATS is away.
        """
        await self.stop_feed()
        feed = await self._catch_up(client)
        self._feed_task = asyncio.create_task(self._run_feed(client, feed))

    async def close(self) -> None:
        """Stop the feed and close the table."""
        await self.stop_feed()
        self._table.close()

    async def stop_feed(self) -> None:
        """Stop following the bucket."""
        if self._feed_task is not None:
            await end((self._feed_task,))
            self._feed_task = None
            self._feed_lost_since = self._feed_lost_since or self.broker_time()

    async def _catch_up(self, client: Client) -> AsyncGenerator[Batch]:
        """Read what the bucket has and the index lacks; returns the feed of later changes."""
        bucket = await read_stream(client, STREAM)
        if not self._is_same(bucket):
            self._clear()
        elif self._feed_lost_since is not None and bucket.ts - self._feed_lost_since > REREAD_AFTER:
            await self._forget_removed(client)
        self._created, self._broker_time, self._broker_time_at = bucket.created, bucket.ts, time.monotonic()
        feed = read_feed(client, self._last_revision)
        try:
            async for batch in feed:
                self._apply_batch(batch)
                if not batch.remaining:
                    break
                await asyncio.sleep(0)  # serve requests while reading a large bucket
        except BaseException:
            await feed.aclose()
            raise
        self._feed_lost_since = None
        return feed

    def _is_same(self, bucket: StreamSnapshot) -> bool:
        """Whether this is the bucket that was read; in a new or restored one, revisions mean other records."""
        return bucket.created == self._created and bucket.state.last_seq >= self._last_revision

    async def _forget_removed(self, client: Client) -> None:
        """Remove the jobs that the bucket lacks."""
        at = len(subjects.record_subject(""))
        present = {subject[at:] for subject in await read_subjects(client, STREAM)}
        self.damaged = {job_id: revision for job_id, revision in self.damaged.items() if job_id in present}
        for job_id in self._table.job_ids() - present:
            self.discard(job_id)

    async def _run_feed(self, client: Client, feed: AsyncGenerator[Batch]) -> None:
        while True:
            try:
                async with aclosing(feed):
                    async for batch in feed:
                        self._apply_batch(batch)
            except UnavailableError as error:
                log.warning("record feed lost, reading it again", error=str(error))
            except Exception:
                log.exception("record feed lost, reading it again")
            self._feed_lost_since = self.broker_time()
            feed = await self._catch_up_again(client)

    async def _catch_up_again(self, client: Client) -> AsyncGenerator[Batch]:
        """Retry `_catch_up` until it succeeds: the broker may be away, or the bucket missing."""
        while True:
            await asyncio.sleep(RETRY_DELAY)
            try:
                return await self._catch_up(client)
            except UnavailableError as error:
                log.info("record feed not restarted yet", error=str(error))
            except Exception:
                log.exception("record feed not restarted yet")

    def _clear(self) -> None:
        for entry in self._table.unfinished():
            self.discard(entry.record.job_id)
        self._table.clear()
        self.damaged.clear()
        self._last_revision = 0

    async def wait_for(self, revision: int) -> None:
        """Wait until all changes up to `revision` are applied, for at most WAIT_TIMEOUT: NATS may be away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_TIMEOUT):
                while self._last_revision < revision:
                    self._advanced.clear()
                    await self._advanced.wait()

    def _apply_batch(self, batch: Batch) -> None:
        for change in batch.changes:
            try:
                self._apply_change(change)
            except Exception:  # one bad record must not stop the feed
                log.exception("record change not applied", key=change.key, revision=change.revision)
            self._last_revision = change.revision
            # The monotonic clock stands still while the machine is suspended.
            if change.changed_at > self.broker_time():
                self._broker_time, self._broker_time_at = change.changed_at, time.monotonic()
        self._save()
        self._advanced.set()

    def _save(self) -> None:
        """Keep the changes; a later process reads damaged records again, to know them."""
        if self._created is not None:
            revision = min((self._last_revision, *(at - 1 for at in self.damaged.values())))
            self._table.save(FeedPosition(self._created, revision, self.broker_time()))

    def _apply_change(self, change: Change) -> None:
        if change.value is None:
            self.damaged.pop(change.key, None)
            self.discard(change.key)
        elif record := decode_change(change):
            self.apply(Entry(record, change.revision))
            self._note_changed_at(record, change.changed_at)
        elif is_job_id(change.key):
            self.damaged[change.key] = change.revision

    def _note_changed_at(self, record: JobRecord, changed_at: datetime) -> None:
        if record.status.is_terminal:
            self._changed_at.pop(record.job_id, None)
            self.by_recipe.correct_ended(record.job_id, changed_at)
        else:
            self._changed_at[record.job_id] = changed_at
            self._table.note_changed(record.job_id, changed_at)

    def _duration_of(self, job_id: str) -> float:
        entry = self._table.entry(job_id)
        return entry.record.recipe.duration if entry else 0.0


def _is_in_queue(record: JobRecord) -> bool:
    """Whether the job waits for a worker, not for a leader."""
    return record.status is JobStatus.QUEUED and not record.is_follower
