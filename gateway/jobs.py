"""Accepting and cancelling jobs: the only two ways in which the gateway changes anything."""

import asyncio
import hashlib
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus

import msgspec
import nats.js.errors

from gateway import metrics
from gateway.job_index import JobIndex
from gateway.ledger import Ledger
from gateway.problems import FieldError, Problem, unknown_job
from gateway.stopping import stopped
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import ConflictError, QueueFullError, UnavailableError
from shared.job_id import is_job_id, job_id_for, new_job_id
from shared.logs import get_logger
from shared.messages import EventType, Job, JobRecord, JobStatus, Recipe, now
from shared.publisher import publish_event, publish_job
from shared.records import Entry, Records
from shared.topology import HOUR, MAX_RECORDS

log = get_logger(__name__)

# The messages of so many of the newest jobs are known by number.
REMEMBERED = 10_000

# Seconds between two looks for jobs without a message.
RECONCILE = 10.0
# A job that is queued for longer than this should have its message.
SETTLED = timedelta(seconds=20)
# Within this time the broker recognises a job that is published again, by its message id.
DEDUPLICATED = timedelta(seconds=HOUR / 2)


class Jobs:
    """Submits and cancels. Records → queue → event, in this order, so that a crash between loses nothing accepted."""

    def __init__(self, bus: Bus, index: JobIndex, ledger: Ledger) -> None:
        self._bus = bus
        self._index = index
        self._ledger = ledger
        self._messages: dict[str, int] = {}

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

    async def submit(self, recipe: Recipe, body: bytes, idempotency_key: str | None, traceparent: str) -> JobRecord:
        """Accept a job: when this returns, the job is safe.

        Args:
            recipe: what to make.
            body: the request, as sent: a repeated key must come with the same one.
            idempotency_key: of the request, if it has one.
            traceparent: of the request.

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
            message="Generation job started",
            fingerprint=hashlib.sha256(body).hexdigest() if idempotency_key else None,
            traceparent=traceparent,
        )
        try:
            entry = await records.create(record)
        except ConflictError:
            return await self._repeat(records, record)
        try:
            await self._enqueue(entry)
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

    async def _enqueue(self, entry: Entry) -> None:
        record = entry.record
        job = Job(job_id=record.job_id, recipe=record.recipe, created_at=record.created_at)
        sequence = await publish_job(self._bus.require(), job, record.traceparent)
        self._remember(record.job_id, sequence)
        self._index.apply(entry)
        await self._announce(entry)

    def _remember(self, job_id: str, sequence: int) -> None:
        """Where the job's message is, so that cancelling makes room in the queue at once."""
        self._messages[job_id] = sequence
        if len(self._messages) > REMEMBERED:
            del self._messages[next(iter(self._messages))]

    async def run(self) -> None:
        """Reconcile now and then, until cancelled."""
        while True:
            await asyncio.sleep(RECONCILE)
            try:
                await self.reconcile()
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
            if record.attempts or record.job_id in self._messages or not SETTLED < age < DEDUPLICATED:
                continue
            entry = await self._ledger.require().get(record.job_id)
            if entry is not None and entry.record.status is JobStatus.QUEUED:
                log.info("queueing again", job_id=record.job_id)
                await self._enqueue(entry)

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
            await self._enqueue(entry)
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
                entry = entry if wanted is record else await self._ledger.require().update(entry, wanted)
                break
            except ConflictError:
                continue  # a worker reported progress in between: look again
        if wanted is not record:
            await self._tell_stopped(entry, record)
        # The record is the truth; this only makes the worker look at it at once.
        await self._bus.client.publish(subjects.cancel_subject(job_id))
        if record.status is JobStatus.QUEUED:
            await self._unqueue(job_id)

    async def _tell_stopped(self, entry: Entry, before: JobRecord) -> None:
        record = entry.record
        self._index.apply(entry)
        if not before.keep_requested:
            metrics.cancelled(record.recipe.model)
        log.info("job cancelled", job_id=record.job_id, was=before.status.value, keep=record.keep_requested)
        await self._announce(entry, None if record.status.is_terminal else "progress")

    async def _unqueue(self, job_id: str) -> None:
        """Take a cancelled job's message away. Where that fails, the worker that gets it will."""
        sequence = self._messages.pop(job_id, None)
        if sequence is None:
            return
        try:
            await self._bus.js.delete_msg(subjects.JOBS_STREAM, sequence)
        except (nats.js.errors.APIError, *AWAY) as error:
            log.info("message left in the queue", job_id=job_id, error=repr(error))

    async def _announce(self, entry: Entry, kind: EventType | None = None) -> None:
        try:
            await publish_event(self._bus.require(), entry, kind)
        except UnavailableError as error:
            # The worker that gets the job's message announces what it finds, so the event comes then.
            log.warning("event delayed", job_id=entry.record.job_id, error=str(error))


def fingerprint_source(request: msgspec.Struct) -> bytes:
    """The request in one spelling, so that white space and field order make no difference."""
    return msgspec.json.encode(request, order="sorted")
