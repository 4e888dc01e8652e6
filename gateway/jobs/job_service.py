"""Accepts and cancels jobs."""

import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import msgspec
from msgspec.structs import replace

from gateway import metrics
from gateway.access.quotas import Quotas
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.jobs.job_queue import JobQueue
from gateway.jobs.result_cache import Decision, Follow, ResultCache, Reuse, Run, UseStored
from gateway.problems import FieldError, Problem, unknown_job
from shared import subjects
from shared.bus import Bus
from shared.errors import ConflictError, DamagedRecordError, QueueFullError, UnavailableError
from shared.failpoint import failpoint
from shared.job_id import is_job_id, job_id_for, new_job_id
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus, Recipe, now
from shared.publisher import ensure_announced
from shared.records import Entry, Records
from shared.topology import HOUR, MAX_RECORDS
from shared.transitions import accepted, as_follower, cancelled, stopping

log = get_logger(__name__)

# The broker deduplicates a job's message by its id for this long.
DEDUPLICATED = timedelta(seconds=HOUR / 2)


class Creations:
    """The creation times of jobs: each is later than the one before, so that they give the order."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def next(self) -> datetime:
        """Now, or a little later. If the clock was set back by more than a second, its new time is used."""
        moment = now()
        if moment <= self._latest < moment + timedelta(seconds=1):
            moment = self._latest + timedelta(milliseconds=1)
        self._latest = moment
        return moment


_creations = Creations()


def draft_record(
    recipe: Recipe,
    body: msgspec.Struct,
    idempotency_key: str | None,
    traceparent: str,
    owner: str | None,
    lane: str,
) -> JobRecord:
    """The record of a new job, not stored yet.

    Args:
        recipe: the music to generate.
        body: the request as sent; a repeated key must come with an equal one.
        idempotency_key: the request's Idempotency-Key, which determines the job id.
        traceparent: the request's trace context.
        owner: the name of the request's API key.
        lane: of the queue.
    """
    return accepted(
        _job_id(idempotency_key, owner),
        recipe,
        _creations.next(),
        fingerprint=hashlib.sha256(fingerprint_source(body)).hexdigest() if idempotency_key else None,
        traceparent=traceparent,
        owner=owner,
        lane=lane,
    )


def _job_id(idempotency_key: str | None, owner: str | None) -> str:
    """Idempotency keys are scoped by API key. Neither holds a space, so joining them is unambiguous."""
    if idempotency_key is None:
        return new_job_id()
    return job_id_for(idempotency_key if owner is None else f"{owner} {idempotency_key}")


def fingerprint_source(request: msgspec.Struct) -> bytes:
    """The request in canonical form: whitespace and field order make no difference."""
    return msgspec.json.encode(request, order="sorted")


class JobService:
    """Submits and cancels jobs: record, then queue, then event, so that a crash loses no accepted job."""

    def __init__(
        self,
        bus: Bus,
        index: JobIndex,
        record_store: RecordStore,
        queue: JobQueue,
        result_cache: ResultCache,
        quotas: Quotas,
    ) -> None:
        self._bus = bus
        self._index = index
        self._record_store = record_store
        self._queue = queue
        self._result_cache = result_cache
        self._quotas = quotas

    async def find(self, job_id: str, viewer: str | None = None) -> JobRecord:
        """A job's record from memory, or from the bucket if another gateway has just created it.

        Raises:
            Problem: 404 if there is none that `viewer` may see.
        """
        if not is_job_id(job_id):
            raise unknown_job(job_id)
        record = self._index.record(job_id)
        if record is None and (entry := await self._fetch(job_id)):
            self._index.apply(entry)
            record = entry.record
        if record is None or not record.is_visible_to(viewer):
            raise unknown_job(job_id)
        return record

    async def fetch(self, job_id: str, viewer: str | None = None) -> Entry | None:
        """The current record in the bucket; None if there is none that `viewer` may see."""
        entry = await self._fetch(job_id)
        return entry if entry and entry.record.is_visible_to(viewer) else None

    async def _fetch(self, job_id: str) -> Entry | None:
        """The record in the bucket. A damaged record of an unknown job counts as missing: its owner is unknown."""
        try:
            return await self._record_store.fetch(job_id)
        except DamagedRecordError:
            if job_id not in self._index:
                return None
            raise  # `RecordRepair` replaces it within seconds

    async def accept(self, draft: JobRecord, reuse: Reuse) -> JobRecord:
        """Accept a new job, or return the one that the same idempotency key created. On return it is durable.

        The checks, in this order: the key's records, its queued jobs and seconds of the day, the records of all keys,
        and the length of the queue.

        Args:
            draft: the new job's record; see `draft_record`.
            reuse: which stored audio may answer the job.

        Raises:
            UnavailableError: if NATS is away or the queue is full; nothing was accepted.
            Problem: 429 if a limit of the key is reached; 422 if its idempotency key was used for another request.
        """
        await self._quotas.check_record_limit(draft)
        decision = self._result_cache.decide(draft, reuse)
        if isinstance(decision, UseStored):  # takes no worker time, so only the limits on records and requests apply
            return await self._submit(draft, decision)
        async with self._quotas.reserved_place(draft):
            return await self._submit(draft, decision)

    async def _submit(self, record: JobRecord, decision: Decision) -> JobRecord:
        records, recipe = self._record_store.require(), record.recipe
        if self._index.count(None) >= MAX_RECORDS and not await self._record_store.fetch(record.job_id):
            raise QueueFullError(f"{MAX_RECORDS} jobs are on record. Try again when workers have removed old ones.")
        if isinstance(decision, Run) and record.job_id not in self._index:
            await self._queue.check_room()
        try:
            entry = await records.create(_prepared(record, decision))
        except ConflictError:
            return await self._repeat(record)
        failpoint("gateway.after_record")
        try:
            record = await self._begin(entry)
        except Exception as error:
            await self._undo(records, entry, error)
            raise
        metrics.accepted(recipe.model)
        log.info("job accepted", job_id=record.job_id, model=recipe.model, duration=recipe.duration)
        return record

    async def _undo(self, records: Records, entry: Entry, error: Exception) -> None:
        """Remove the record of a job that was not accepted.

        If its message was stored nevertheless, the worker finds no record and drops it. A record with an idempotency
        key stays after an uncertain publish, because the client's retry completes the request.
        """
        if entry.record.fingerprint is None or isinstance(error, QueueFullError):
            with suppress(UnavailableError, ConflictError):
                await records.remove(entry)

    async def _begin(self, entry: Entry) -> JobRecord:
        if entry.record.is_follower:
            return await self._result_cache.begin(entry)
        await self._queue.enqueue(entry)
        return entry.record

    async def _repeat(self, record: JobRecord) -> JobRecord:
        """The job of an earlier request with the same key, queued again in case that request did not finish."""
        entry = await self._record_store.fetch(record.job_id)
        if entry is None:
            raise UnavailableError("The first request with this Idempotency-Key is being rolled back. Try again.")
        known = entry.record
        if known.owner != record.owner:
            raise _key_reused("This key was used for another request. Use a new key.")
        if known.fingerprint != record.fingerprint:
            raise _key_reused(f"This key was used for another request, job {known.job_id}. Use a new key.")
        if known.status is JobStatus.QUEUED and self._index.broker_time() - known.created_at < DEDUPLICATED:
            return await self._begin(entry)
        return known

    async def cancel(self, job_id: str, keep: bool = False, viewer: str | None = None) -> None:
        """Cancel a queued or running job. Cancelling twice is harmless.

        Args:
            job_id: the job's id.
            keep: have the worker of a running job store the audio generated so far before the job ends.
            viewer: the name of the request's API key.

        Raises:
            Problem: 404 if there is none that `viewer` may see, 409 if it is finished.
        """
        while True:
            found = await self.fetch(job_id, viewer)
            if found is None:
                raise unknown_job(job_id)
            record = found.record
            changed = _stopped(record, keep)
            if changed is record:
                if record.status.is_terminal:
                    await ensure_announced(self._bus.require(), found)
                announced = True
                break
            # First announce the current state. Its writer may not have, and no event may follow the terminal one.
            await ensure_announced(self._bus.require(), found)
            try:
                entry = await self._record_store.update(found, changed)
            except ConflictError:
                continue  # a worker reported progress in between: read it again
            announced = await self._announce_stopped(entry, record)
            break
        # Only a hint that makes the worker read the record at once.
        await self._bus.client.publish(subjects.cancel_subject(job_id))
        # Remove the message only if no worker is needed: the event is published, and no claim left files behind.
        if record.status is JobStatus.QUEUED and announced and not record.claims:
            await self._queue.remove(job_id)

    async def _announce_stopped(self, entry: Entry, before: JobRecord) -> bool:
        failpoint("gateway.after_cancel")
        record = entry.record
        if not before.keep_requested:
            metrics.cancelled(record.recipe.model)
        log.info("job cancelled", job_id=record.job_id, was=before.status.value, keep=record.keep_requested)
        return await self._queue.announce(entry, None if record.status.is_terminal else "progress")


def _prepared(record: JobRecord, decision: Decision) -> JobRecord:
    """The record as it is created. A job that may share audio begins as a follower, even the first one of its recipe.

    `ResultCache.begin` then queues that one, because it has no leader.
    """
    match decision:
        case UseStored(source):
            return as_follower(replace(record, recipe=source.recipe))
        case Follow() | Run(may_share=True):
            return as_follower(record)
        case Run():
            return record


def _stopped(record: JobRecord, keep: bool) -> JobRecord:
    """The record as a cancellation leaves it; the same object if there is nothing to change.

    Raises:
        Problem: 409 if the job is finished.
    """
    if record.status is JobStatus.CANCELLED:
        return record
    if record.status.is_terminal:
        raise Problem(HTTPStatus.CONFLICT, f"Job {record.job_id} is {record.status} already: nothing to cancel.")
    if keep and record.status is JobStatus.PROCESSING:
        return record if record.keep_requested else stopping(record)
    return cancelled(record)


def _key_reused(message: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message, errors=[FieldError("Idempotency-Key", message)])
