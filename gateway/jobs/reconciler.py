"""Requeues stalled jobs that have no deliverable message.

A gateway can crash between record and publish; an operator can delete a stream or limit a consumer's deliveries. The
record remains, so the reconciler publishes the job again. Workers count the attempts and fail a job that has too many.
The gateway itself only fails jobs that a worker refused, or that no worker served for days.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta

from gateway import metrics
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.queue_reader import QueueReader, QueueSnapshot, remove_message
from gateway.jobs.result_cache import ResultCache
from shared.bus import Bus
from shared.errors import ConflictError, DamagedRecordError, TransitionError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus, job_of
from shared.publisher import ensure_announced, publish_job
from shared.records import Entry
from shared.transitions import failed, record_renewed

log = get_logger(__name__)

# Seconds between two passes, and without a change after which a job counts as stalled. A worker changes the record of a
# running job every second. Both are measured by this process's monotonic clock, because wall clocks differ.
INTERVAL = 10.0
STALL_TIME = 30.0
# A job that has not changed for this long by the broker's clock fails if its model has no worker; otherwise its record
# is renewed. Without that it would expire silently: early versions created the bucket with a TTL of seven days.
UNSERVED = timedelta(days=6)
# Seconds without a worker of the model before a job fails for that reason: workers may start later than gateways.
ABSENCE = 3600.0


class Reconciler:
    """Requeues stalled jobs. Any number of gateways may do so concurrently."""

    def __init__(
        self, bus: Bus, index: JobIndex, record_store: RecordStore, result_cache: ResultCache, workers: WorkerRegistry
    ) -> None:
        self._bus = bus
        self._index = index
        self._record_store = record_store
        self._result_cache = result_cache
        self._workers = workers
        self._queue_reader = QueueReader()
        self._unchanged: dict[str, tuple[int, float]] = {}  # by job: its revision, and when that was first seen

    async def run(self) -> None:
        """Reconcile at intervals, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            for step in (self.reconcile, self._result_cache.recover_orphans):
                try:
                    await step()
                except UnavailableError as error:
                    log.info("not reconciled yet", error=str(error))

    async def on_connect(self) -> None:
        """Restart the stall times: no record could change while NATS was away."""
        self._unchanged.clear()

    async def reconcile(self) -> None:
        """Repair every stalled job.

        Raises:
            UnavailableError: if NATS is away, or the queue is full.
        """
        stalled = self._stalled()
        if stalled:
            await self.repair(stalled)

    async def repair(
        self, stalled: Iterable[Entry], given_up: Collection[int] = (), refused: Mapping[str, str] | None = None
    ) -> None:
        """Requeue or end stalled jobs.

        Args:
            stalled: the jobs' entries when they were found stalled.
            given_up: sequence numbers of messages known to be stranded, in addition to those that the consumers show.
            refused: by job id, why a worker refused the job's message; workers would refuse a new message, too.

        Raises:
            UnavailableError: if NATS is away, or the queue is full.
        """
        queue = await self._queue_reader.read(self._bus.client, given_up)
        for entry in stalled:
            record = entry.record
            why = (refused or {}).get(record.job_id)
            try:
                await self._repair(entry, queue, why)
            except (DamagedRecordError, TransitionError) as error:
                log.warning("damaged record not reconciled", job_id=record.job_id, error=str(error))
            # The job has a message now: wait for another stall time.
            self._unchanged.pop(record.job_id, None)

    async def _repair(self, entry: Entry, queue: QueueSnapshot, why: str | None) -> None:
        record = entry.record
        if self._is_old(entry):
            await self._end_or_renew(entry, queue)
        elif record.job_id not in queue.deliverable:
            if why is not None and record.status is JobStatus.QUEUED:
                await self._give_up(entry, queue, _refused(record, why))
            else:
                await self._requeue(entry, queue)

    def _is_old(self, entry: Entry) -> bool:
        changed_at = self._index.changed_at(entry.record.job_id)
        return changed_at is not None and self._index.broker_time() - changed_at > UNSERVED

    async def _end_or_renew(self, entry: Entry, queue: QueueSnapshot) -> None:
        record = entry.record
        if self._workers.absence(record.recipe.model) >= ABSENCE:
            await self._give_up(entry, queue, _unserved(record))
            return
        with suppress(ConflictError):  # another process changed it
            await self._record_store.update(entry, record_renewed(record))

    def _stalled(self) -> list[Entry]:
        """Stalled jobs. Followers count only when old: they need no message, and the result cache settles them."""
        moment = time.monotonic()
        unfinished = [each for each in self._index.unfinished() if not each.record.is_follower or self._is_old(each)]
        unchanged: dict[str, tuple[int, float]] = {}
        for entry in unfinished:
            revision, began = self._unchanged.get(entry.record.job_id, (0, moment))
            unchanged[entry.record.job_id] = (entry.revision, began if revision == entry.revision else moment)
        self._unchanged = unchanged
        return [entry for entry in unfinished if moment - unchanged[entry.record.job_id][1] >= STALL_TIME]

    async def _requeue(self, found: Entry, queue: QueueSnapshot) -> None:
        entry = await self._record_store.fetch(found.record.job_id)
        if entry is None:
            self._index.discard(found.record.job_id)  # an operator removed the record without a marker
            return
        if entry.revision != found.revision:
            self._index.apply(entry)  # the feed has not delivered the change yet
            return
        record, js = entry.record, self._bus.require()
        log.warning("queueing again", job_id=record.job_id, status=record.status.value)
        await ensure_announced(js, entry)
        if record.job_id in queue.stranded:
            # First, because it takes up room in a queue that may be full. After a crash here, the next pass requeues.
            await remove_message(js, queue.stranded[record.job_id])
        job = job_of(record)
        # The message id is the same for all gateways that read this queue, and differs from earlier messages'.
        await publish_job(js, job, record.traceparent, again=f"{entry.revision}.{queue.last}")
        metrics.requeued(record.recipe.model)

    async def _give_up(self, entry: Entry, queue: QueueSnapshot, end: JobRecord) -> None:
        try:
            entry = await self._record_store.update(entry, end)
        except ConflictError:
            return  # another process changed it
        record, js = entry.record, self._bus.require()
        self._index.by_recipe.note_ended(record.job_id, record.updated_at)
        log.warning("given up", job_id=record.job_id, reason=record.error_message)
        await ensure_announced(js, entry)
        for messages in (queue.deliverable, queue.stranded):
            if record.job_id in messages:
                await remove_message(js, messages[record.job_id])


def _unserved(record: JobRecord) -> JobRecord:
    return failed(
        record,
        f"The job has waited for {UNSERVED.days} days, and no worker serves its model. Start one with "
        f"MUSICGEN_MODEL_SIZE={record.recipe.model}, or choose a model that /api/v1/models lists, and send the job "
        "again.",
    )


def _refused(record: JobRecord, why: str) -> JobRecord:
    return failed(
        record,
        f"A worker refused this job ({why}). Bring gateway and workers to the same version, and send the job again.",
    )
