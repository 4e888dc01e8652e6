"""Accepts jobs: record, then queue, then event, so that a crash loses no accepted job."""

from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from http import HTTPStatus

from msgspec.structs import replace

from gateway import metrics
from gateway.access.quotas import Quotas
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.jobs.job_queue import JobQueue
from gateway.jobs.result_cache import Decision, Follow, ResultCache, Reuse, Run, UseStored
from gateway.problems import FieldError, Problem
from shared import tracing
from shared.errors import ConflictError, QueueFullError, UnavailableError
from shared.failpoint import failpoint
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus
from shared.records import Entry
from shared.topology import HOUR, MAX_RECORDS
from shared.transitions import as_follower

log = get_logger(__name__)

# The broker deduplicates a job's message by its id for this long.
DEDUPLICATED = timedelta(seconds=HOUR / 2)


class Acceptance:
    """Accepts the jobs of a request, all of them or none."""

    def __init__(
        self, index: JobIndex, record_store: RecordStore, queue: JobQueue, result_cache: ResultCache, quotas: Quotas
    ) -> None:
        self._index = index
        self._record_store = record_store
        self._queue = queue
        self._result_cache = result_cache
        self._quotas = quotas

    async def accept(self, drafts: Sequence[JobRecord], reuse: Reuse) -> JobRecord:
        """Accept new jobs, or return the first of those that the same idempotency key created. They are durable then.

        The checks, in this order: the key's records, its queued jobs and seconds of the day, the records of all keys,
        and the length of the queue. Every job counts.

        Args:
            drafts: the new jobs' records; see `draft_jobs`.
            reuse: which stored audio may answer the jobs.

        Returns:
            the first job's record.

        Raises:
            UnavailableError: if NATS is away or the queue is full; nothing was accepted.
            Problem: 429 if a limit of the key is reached; 422 if its idempotency key was used for another request.
        """
        await self._quotas.check_record_limit(drafts[0], len(drafts))
        decisions = [self._result_cache.decide(draft, reuse) for draft in drafts]
        async with AsyncExitStack() as places:
            for draft, decision in zip(drafts, decisions, strict=True):
                # Stored audio takes no worker time, so only the limits on records and requests apply.
                if not isinstance(decision, UseStored):
                    await places.enter_async_context(self._quotas.reserved_place(draft))
            return await self._submit(drafts, decisions)

    async def is_known(self, draft: JobRecord) -> bool:
        """Whether an earlier request with the same idempotency key created the job.

        Raises:
            UnavailableError: if NATS is away.
        """
        return draft.fingerprint is not None and await self._record_store.fetch(draft.job_id) is not None

    async def _submit(self, drafts: Sequence[JobRecord], decisions: Sequence[Decision]) -> JobRecord:
        records = self._record_store.require()
        await self._check_room(drafts, decisions)
        try:
            entries = await records.create_all(list(map(_prepared, drafts, decisions)))
        except ConflictError:
            return await self._repeat(drafts)
        failpoint("gateway.after_record")
        accepted = await (self._begin_alone(entries[0]) if len(entries) == 1 else self._begin_together(entries))
        for record in drafts:
            metrics.accepted(record.recipe.model)
            tracing.describe_job(record.job_id, record.recipe.model)
            log.info("job accepted", job_id=record.job_id, model=record.recipe.model, duration=record.recipe.duration)
        return accepted

    async def _check_room(self, drafts: Sequence[JobRecord], decisions: Sequence[Decision]) -> None:
        first = drafts[0].job_id
        if self._index.count(None) + len(drafts) > MAX_RECORDS and not await self._record_store.fetch(first):
            raise QueueFullError(f"{MAX_RECORDS} jobs are on record. Try again when workers have removed old ones.")
        queued = sum(isinstance(decision, Run) for decision in decisions)
        if queued and first not in self._index:
            await self._queue.check_room(queued)

    async def _begin_alone(self, entry: Entry) -> JobRecord:
        try:
            return await self._begin(entry)
        except Exception as error:
            await self._undo(entry, error)
            raise

    async def _begin_together(self, entries: Sequence[Entry]) -> JobRecord:
        """Queue several jobs. They were accepted when their records were stored: the reconciler queues what is left."""
        accepted = entries[0].record
        try:
            for entry in entries:
                record = await self._begin(entry)
                accepted = record if entry is entries[0] else accepted
        except UnavailableError as error:
            log.warning("accepted jobs are queued later", job_id=accepted.job_id, error=str(error))
            for entry in entries:
                self._index.apply(entry)
        return accepted

    async def _begin(self, entry: Entry) -> JobRecord:
        if entry.record.is_follower:
            return await self._result_cache.begin(entry)
        await self._queue.enqueue(entry)
        return entry.record

    async def _undo(self, entry: Entry, error: Exception) -> None:
        """Remove the record of a job that was not accepted.

        If its message was stored nevertheless, the worker finds no record and drops it. A record with an idempotency
        key stays after an uncertain publish, because the client's retry completes the request.
        """
        if entry.record.fingerprint is None or isinstance(error, QueueFullError):
            with suppress(UnavailableError, ConflictError):
                await self._record_store.require().remove(entry)

    async def _repeat(self, drafts: Sequence[JobRecord]) -> JobRecord:
        """The first job of an earlier request with the same key.

        Its jobs are queued again in case that request did not finish.
        """
        found = [entry for draft in drafts if (entry := await self._record_store.fetch(draft.job_id))]
        if not found:
            raise UnavailableError("The first request with this Idempotency-Key is being rolled back. Try again.")
        known, draft = found[0].record, drafts[0]
        if known.owner != draft.owner:
            raise _key_reused("This key was used for another request. Use a new key.")
        if known.fingerprint != draft.fingerprint:
            raise _key_reused(f"This key was used for another request, job {known.job_id}. Use a new key.")
        unfinished = [entry for entry in found if self._may_lack_message(entry.record)]
        begun = [await self._begin(entry) for entry in unfinished]
        return next((record for record in begun if record.job_id == known.job_id), known)

    def _may_lack_message(self, record: JobRecord) -> bool:
        return record.status is JobStatus.QUEUED and self._index.broker_time() - record.created_at < DEDUPLICATED


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


def _key_reused(message: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message, errors=[FieldError("Idempotency-Key", message)])
