"""Accepting and cancelling jobs: the only two ways in which the gateway changes anything."""

import asyncio
import hashlib
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus

import msgspec

from gateway import metrics
from gateway.cache import STARTED, Cache, Reuse
from gateway.job_index import JobIndex
from gateway.job_queue import JobQueue
from gateway.ledger import Ledger
from gateway.problems import FieldError, Problem, unknown_job
from gateway.stopping import stopped
from shared import subjects
from shared.bus import Bus
from shared.errors import ConflictError, QueueFullError, UnavailableError
from shared.job_id import is_job_id, job_id_for, new_job_id
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus, Recipe, now
from shared.records import Entry, Records
from shared.topology import HOUR, MAX_RECORDS

log = get_logger(__name__)

# Seconds between two looks for jobs without a message.
RECONCILE = 10.0
# A job that is queued for longer than this should have its message.
SETTLED = timedelta(seconds=20)
# Within this time the broker recognises a job that is published again, by its message id.
DEDUPLICATED = timedelta(seconds=HOUR / 2)


class Jobs:
    """Submits and cancels. Records → queue → event, in this order, so that a crash between loses nothing accepted."""

    def __init__(self, bus: Bus, index: JobIndex, ledger: Ledger, queue: JobQueue, cache: Cache) -> None:
        self._bus = bus
        self._index = index
        self._ledger = ledger
        self._queue = queue
        self._cache = cache

    async def find(self, job_id: str) -> JobRecord:
        """A job's record, from memory, or from the bucket when another gateway made it just now.

        Raises:
            Problem: 404 if there is none.
        """
        if not is_job_id(job_id):
            raise unknown_job(job_id)
        record = self._index.get(job_id)
        if record is not None:
            return record
        entry = await self._ledger.require().get(job_id)
        if entry is None:
            raise unknown_job(job_id)
        self._index.apply(entry)
        return entry.record

    async def current(self, job_id: str) -> Entry | None:
        """The record as the bucket has it this moment."""
        return await self._ledger.current(job_id)

    async def submit(
        self, recipe: Recipe, body: bytes, idempotency_key: str | None, traceparent: str, reuse: Reuse
    ) -> JobRecord:
        """Accept a job: when this returns, the job is safe.

        Args:
            recipe: what to make.
            body: the request, as sent: a repeated key must come with the same one.
            idempotency_key: of the request, if it has one.
            traceparent: of the request.
            reuse: what the job may be answered with.

        Raises:
            UnavailableError: if NATS is away or the queue is full; nothing was accepted.
            Problem: 422 if the key was used for another request.
        """
        records, moment = self._ledger.require(), now()
        if self._index.count(None) >= MAX_RECORDS:
            raise QueueFullError(f"{MAX_RECORDS} jobs are on record. Try again when workers have removed old ones.")
        record = JobRecord(
            job_id=job_id_for(idempotency_key) if idempotency_key else new_job_id(),
            recipe=recipe,
            created_at=moment,
            updated_at=moment,
            message=STARTED,
            fingerprint=hashlib.sha256(body).hexdigest() if idempotency_key else None,
            traceparent=traceparent,
        )
        try:
            entry = await records.create(self._cache.prepared(record, reuse))
        except ConflictError:
            return await self._repeat(records, record)
        try:
            record = await self._begin(entry)
        except Exception as error:
            await self._undo(records, entry, error)
            raise
        metrics.accepted(recipe.model)
        log.info("job accepted", job_id=record.job_id, model=recipe.model, duration=recipe.duration)
        return record

    async def _undo(self, records: Records, entry: Entry, error: Exception) -> None:
        """Take back a record whose job was not accepted.

        Should the message have got through all the same, the worker finds no record and drops it. After an
        uncertain publish with a key the record stays: the repeated request finishes what this one began.
        """
        if entry.record.fingerprint is None or isinstance(error, QueueFullError):
            with suppress(UnavailableError, ConflictError):
                await records.remove(entry)

    async def _begin(self, entry: Entry) -> JobRecord:
        if entry.record.follows:
            return await self._cache.begin(entry)
        await self._queue.enqueue(entry)
        return entry.record

    async def run(self) -> None:
        """Reconcile now and then, until cancelled."""
        while True:
            await asyncio.sleep(RECONCILE)
            try:
                await self.reconcile()
                await self._cache.reconcile()
            except UnavailableError as error:
                log.info("reconciling later", error=str(error))

    async def reconcile(self) -> None:
        """Queue accepted jobs again whose message may be missing: a gateway can die between record and publish.

        Each is looked at once, a while after its creation and well within the time in which the broker
        recognises a message that it has already.
        """
        moment = now()
        for record in self._index.queued():
            age = moment - record.created_at
            if record.attempts or self._queue.has(record.job_id) or not SETTLED < age < DEDUPLICATED:
                continue
            entry = await self._ledger.require().get(record.job_id)
            if entry is not None and entry.record.status is JobStatus.QUEUED:
                log.info("queueing again", job_id=record.job_id)
                await self._queue.enqueue(entry)

    async def _repeat(self, records: Records, record: JobRecord) -> JobRecord:
        """The key was seen before: its job is the answer, queued again if it may have been left half accepted."""
        entry = await records.get(record.job_id)
        if entry is None:
            raise UnavailableError("The first request with this Idempotency-Key is just being undone; try again.")
        known = entry.record
        if known.fingerprint != record.fingerprint:
            message = f"This key was used for another request, job {known.job_id}. Use a new key for a new request."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message, errors=[FieldError("Idempotency-Key", message)])
        if known.status is JobStatus.QUEUED and now() - known.created_at < DEDUPLICATED:
            return await self._begin(entry)
        return known

    async def cancel(self, job_id: str, keep: bool = False) -> None:
        """Cancel a job, queued or running; doing it again is fine.

        Args:
            job_id: of the job.
            keep: have the worker of a running job store what it has made, and only then end it.

        Raises:
            Problem: 404 if there is none, 409 if it is finished.
        """
        while True:
            entry = await self.current(job_id)
            if entry is None:
                raise unknown_job(job_id)
            record = entry.record
            wanted = stopped(record, keep)
            try:
                entry = entry if wanted is record else await self._ledger.update(entry, wanted)
                break
            except ConflictError:
                continue  # a worker reported progress in between: look again
        if wanted is not record:
            await self._tell_stopped(entry, record)
        # The record is the truth; this only makes the worker look at it at once.
        await self._bus.client.publish(subjects.cancel_subject(job_id))
        if record.status is JobStatus.QUEUED:
            await self._queue.remove(job_id)

    async def _tell_stopped(self, entry: Entry, before: JobRecord) -> None:
        record = entry.record
        if not before.keep_requested:
            metrics.cancelled(record.recipe.model)
        log.info("job cancelled", job_id=record.job_id, was=before.status.value, keep=record.keep_requested)
        await self._queue.announce(entry, None if record.status.is_terminal else "progress")


def fingerprint_source(request: msgspec.Struct) -> bytes:
    """The request in one spelling, so that white space and field order make no difference."""
    return msgspec.json.encode(request, order="sorted")
