"""Removes expired audio, excess records, and files that no record references. One worker at a time does it.

Workers do it because they may write to the store: the gateway, which is exposed to the network, can only read. And the
store grows only while a worker runs.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from typing import NamedTuple

import nats.js.errors

from shared.audio_conditions import EXCERPTS_PREFIX, excerpt_key
from shared.bus import AWAY, Bus
from shared.errors import ConflictError, DamagedRecordError, UnavailableError
from shared.files import ALL_JOBS_PREFIX, job_prefix
from shared.job_id import is_job_id
from shared.logs import get_logger
from shared.messages import JobRecord
from shared.note_score import score_key
from shared.record_feed import read_records
from shared.records import Records
from shared.settings import Settings
from shared.storage import LOST_KEPT, Storage
from shared.topology import DAY, MAX_RECORDS, RETENTION_TURNS, ensure_retention_turns, ensure_streams
from shared.transitions import expired
from shared.uploaded_files import UPLOADS_PREFIX
from worker import metrics
from worker.retention.expiry import Expiry, LastUse, select_excess, select_expired

log = get_logger(__name__)

# Seconds between two attempts to take the turn.
POLL_INTERVAL = 20.0
# Records above this number are removed. Gateways begin earlier, with records that keep no audio
# (gateway/jobs/trimmer.py).
KEPT_RECORDS = MAX_RECORDS * 19 // 20
# An API key's records above this share of its limit are removed.
KEY_RECORDS_SHARE = 0.9
# A key's daily quota is computed from its records, so each one is kept for a day.
QUOTA_WINDOW = timedelta(days=1)
# Unreferenced files are kept for this long, because an upload precedes its record.
UNREFERENCED_GRACE = timedelta(hours=1)


class RecordSummary(NamedTuple):
    """The few fields of a record that are kept in memory during one pass, since there may be many records."""

    revision: int
    last_use: LastUse
    is_finished: bool
    keeps_audio: bool
    is_lost: bool
    owner: str | None
    source: str | None
    excerpt: str | None
    score: str | None


class StoredJob(NamedTuple):
    """A job that has files in the store; `stored_at` is the time of the newest one."""

    job_id: str
    stored_at: datetime


class Retention:
    """Applies the limits of one worker's settings in this worker's turn."""

    def __init__(self, settings: Settings, bus: Bus, storage: Storage) -> None:
        self._max_age = timedelta(days=settings.max_audio_days)
        self._max_bytes = settings.max_audio_bytes
        self._key_records = int(settings.key_records * KEY_RECORDS_SHARE)
        self._replicas = settings.nats_replicas
        self._bus = bus
        self._storage = storage

    async def run(self) -> None:
        """Do a pass in each of this worker's turns, until cancelled."""
        while True:
            await asyncio.sleep(POLL_INTERVAL)
            try:
                moment = await self.acquire_turn()
                if moment is not None:
                    await self.clean(moment)
            except (UnavailableError, nats.js.errors.APIError, *AWAY) as error:
                log.warning("removing what has expired later", error=repr(error))

    async def acquire_turn(self) -> datetime | None:
        """The current time by the broker's clock, or None if it is another worker's turn.

        The turn ends when the broker expires its key, so it depends on no worker's clock, and a worker that dies does
        not block the next one.

        Raises:
            UnavailableError, nats.js.errors.APIError, one of AWAY: while NATS is away.
        """
        js = self._bus.require()
        turns = await ensure_retention_turns(js, self._replicas)
        try:
            revision = await turns.create("retention", b"")
        except (nats.js.errors.KeyWrongLastSequenceError, nats.js.errors.KeyNotFoundError):
            return None  # not found: a turn expired during the call; the next poll takes it
        return (await js.get_msg(f"KV_{RETENTION_TURNS.bucket}", seq=revision)).time

    async def clean(self, moment: datetime) -> None:
        """Expire audio, and remove excess records and unreferenced files. Two workers may do it at the same time.

        Args:
            moment: the current time by the broker's clock.

        Raises:
            UnavailableError: while NATS or S3 is away; the next pass does the rest.
        """
        records = Records(await ensure_streams(self._bus.require(), self._replicas))
        await self._warn_about_lifetimes(records)
        known = await self._summarize_records()
        stored = [each.last_use for each in known.values() if each.keeps_audio]
        for each in select_expired(stored, moment, self._max_age, self._max_bytes):
            await self._expire(records, known, each)
        await self._remove_excess_records(records, known, moment)
        metrics.STORED.set(sum(each.last_use.size for each in known.values() if each.keeps_audio))
        await self._remove_unreferenced_files(records, known, moment)
        needed = {key for each in known.values() for key in (each.excerpt, each.score)}
        await self._remove_old_uploads(needed, moment)

    async def _summarize_records(self) -> dict[str, RecordSummary]:
        known: dict[str, RecordSummary] = {}
        async for (record, revision), changed_at in read_records(self._bus.client):
            known[record.job_id] = _summary(record, revision, changed_at)
        return known

    async def _warn_about_lifetimes(self, records: Records) -> None:
        """Audio expires by its record, so records must live longer; the operator sets for how long they do."""
        lifetime = (await records.bucket.status()).ttl
        if lifetime and lifetime <= self._max_age.total_seconds():
            log.warning(
                "records go before their audio: lower MAX_AUDIO_DAYS, or `nats stream edit KV_music_jobs --max-age=…`",
                record_days=lifetime / DAY,
                max_audio_days=self._max_age / timedelta(days=1),
            )

    async def _expire(self, records: Records, known: dict[str, RecordSummary], expiry: Expiry) -> None:
        """Mark the audio as expired in its record; the files are removed in this pass or a later one.

        A gateway that is about to serve the audio changes the record too, so that one of the two writes fails.
        """
        job_id, reason = expiry
        entry = await records.get(job_id)
        if entry is None or entry.revision != known[job_id].revision:
            return
        try:
            await records.update(entry, expired(*entry))
        except ConflictError:
            return
        log.info("audio expired", job_id=job_id, reason=reason)
        metrics.EXPIRED.labels(reason).inc()
        del known[job_id]

    async def _remove_excess_records(self, records: Records, known: dict[str, RecordSummary], moment: datetime) -> None:
        """Remove the oldest records of each key above its limit, then of all: first those that keep no audio.

        A key's record stays while other records share its audio.
        """
        owned = Counter(each.owner for each in known.values() if each.owner is not None)
        shared = {each.source for each in known.values()}
        for owner, count in owned.items():
            if count > self._key_records:
                own = [each.last_use for each in known.values() if each.owner == owner and each.is_finished]
                removable = [last_use for last_use in own if last_use.job_id not in shared]
                for job_id in select_excess(removable, moment, count - self._key_records, QUOTA_WINDOW):
                    await self._remove_record(records, known, job_id)
        for keeps_audio in (False, True):
            finished = [
                each.last_use for each in known.values() if each.is_finished and each.keeps_audio is keeps_audio
            ]
            for job_id in select_excess(finished, moment, len(known) - KEPT_RECORDS):
                await self._remove_record(records, known, job_id)

    async def _remove_record(self, records: Records, known: dict[str, RecordSummary], job_id: str) -> None:
        entry = await records.get(job_id)
        if entry is None or entry.revision != known[job_id].revision:
            return
        try:
            await records.remove(entry)
        except ConflictError:
            return
        log.info("record removed to make room", job_id=job_id)
        metrics.RECORDS_REMOVED.inc()
        del known[job_id]

    async def _remove_unreferenced_files(
        self, records: Records, known: dict[str, RecordSummary], moment: datetime
    ) -> None:
        async for job in stored_jobs(self._storage):
            seen = known.get(job.job_id)
            if seen is not None and (seen.keeps_audio or not seen.is_finished):
                continue
            if seen is not None and seen.is_lost and moment - seen.last_use.at <= LOST_KEPT:
                continue
            # The record is read again, because it may have changed since the summary.
            if await _is_unreferenced(records, job, moment):
                await self._storage.remove_job(job.job_id)
                log.info("files removed", job_id=job.job_id)
                metrics.FILES_REMOVED.inc()

    async def _remove_old_uploads(self, needed: Collection[str | None], moment: datetime) -> None:
        """Remove what clients uploaded when it is as old as unused audio may be. Jobs made of it do not need it.

        Excerpts of it are removed when no job needs them and they are old enough for the record of one to be seen. Its
        notes are kept while a job has audio of them, or has yet to play them.

        Args:
            needed: keys of excerpts and notes.
            moment: the current time by the broker's clock.
        """
        after = ""
        while page := await self._storage.page(after, UPLOADS_PREFIX):
            for item in page:
                lifetime = UNREFERENCED_GRACE if item.key.startswith(EXCERPTS_PREFIX) else self._max_age
                if moment - item.stored_at > lifetime and item.key not in needed:
                    await self._storage.remove_uploaded(item.key)
                    log.info("uploaded file removed", key=item.key)
                    metrics.FILES_REMOVED.inc()
            after = page[-1].key


def _summary(record: JobRecord, revision: int, changed_at: datetime) -> RecordSummary:
    return RecordSummary(
        revision=revision,
        last_use=LastUse(changed_at, record.job_id, _size(record) if record.keeps_audio else 0),
        is_finished=record.status.is_terminal,
        keeps_audio=record.keeps_audio,
        is_lost=bool(record.lost),
        owner=record.owner,
        source=record.source,
        excerpt=_excerpt_key(record),
        score=_score_key(record),
    )


def _excerpt_key(record: JobRecord) -> str | None:
    """The key of the excerpt, or of the parent's file, that the job has yet to read."""
    recipe = record.recipe
    if record.status.is_terminal or (recipe.audio is None and recipe.parent_audio is None):
        return None
    sha256 = recipe.parent_audio.sha256 if recipe.parent_audio else recipe.audio and recipe.audio.source.sha256
    return excerpt_key(record.owner, sha256 or "")


def _score_key(record: JobRecord) -> str | None:
    """The key of the score that the job plays, while it is needed."""
    is_needed = record.keeps_audio or not record.status.is_terminal
    return score_key(record.owner, record.recipe.score.sha256) if record.recipe.score and is_needed else None


def _size(record: JobRecord) -> int:
    return sum(file.size for file in record.files)


async def _is_unreferenced(records: Records, job: StoredJob, moment: datetime) -> bool:
    """Whether no record references the files; in-progress and unreadable records count as references."""
    try:
        entry = await records.get(job.job_id)
    except DamagedRecordError as error:
        log.warning("files kept", job_id=job.job_id, reason=str(error))
        return False
    if entry is not None and (entry.record.keeps_audio or not entry.record.status.is_terminal):
        return False
    is_expired = entry is not None and entry.record.expired_at is not None
    return is_expired or moment - job.stored_at > UNREFERENCED_GRACE


async def stored_jobs(storage: Storage) -> AsyncIterator[StoredJob]:
    """Every job that has files in the store, ordered by id; at most a thousand objects are in memory at a time.

    Raises:
        UnavailableError: while S3 is away.
    """
    job: StoredJob | None = None
    after = ""
    while page := await storage.page(after):
        for item in page:
            job_id = _job_of(item.key)
            if job is not None and job.job_id == job_id:
                job = StoredJob(job_id, max(job.stored_at, item.stored_at))
            else:
                if job is not None:
                    yield job
                job = StoredJob(job_id, item.stored_at) if job_id else None
        after = page[-1].key
    if job is not None:
        yield job


def _job_of(key: str) -> str:
    """The job that an object belongs to; empty for other keys, whose objects are left alone."""
    job_id = key.removeprefix(ALL_JOBS_PREFIX).partition("/")[0]
    return job_id if is_job_id(job_id) and key.startswith(job_prefix(job_id)) else ""
