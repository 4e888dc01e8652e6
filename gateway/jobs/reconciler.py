"""Looks for jobs that nobody moves and that nothing will bring to a worker, and mends that.

A gateway can die between record and publish, an admin's hand can delete a stream or give a consumer a limit of
deliveries. The record stays, so the job gets a message again: the worker that takes it counts the attempts, and the one
that finds too many ends the job with the reason. Only what no worker takes for days, or one has refused, ends here.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta

from msgspec.structs import replace

from gateway import metrics
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.queue_scan import QueueReader, QueueSnapshot, remove_message
from gateway.jobs.result_cache import ResultCache
from shared.bus import Bus
from shared.errors import ConflictError, DamagedRecordError, TransitionError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus, job_of, now
from shared.publisher import ensure_announced, publish_job
from shared.records import Entry
from shared.transitions import failed

log = get_logger(__name__)

# Seconds between two sweeps, and those after which a record that does not move is looked at; a worker moves it every
# second. Both on this process's own clock, because wall clocks differ.
INTERVAL = 10.0
STALL_TIME = 30.0
# A job that has not changed for this long, by the broker's clock, ends if no worker of its model is there, because its
# record would expire without a word: an earlier version made the bucket for seven days. If one is there, the record is
# renewed.
UNSERVED = timedelta(days=6)
# Seconds for which this gateway must have heard of no such worker: workers may start later than gateways.
ABSENCE = 3600.0


class Reconciler:
    """Gives lost jobs a message again. Any number of gateways may do so at once."""

    def __init__(
        self, bus: Bus, index: JobIndex, record_store: RecordStore, result_cache: ResultCache, workers: WorkerRegistry
    ) -> None:
        self._bus = bus
        self._index = index
        self._record_store = record_store
        self._result_cache = result_cache
        self._workers = workers
        self._queue_reader = QueueReader()
        self._since: dict[str, tuple[int, float]] = {}

    async def run(self) -> None:
        """Reconciler now and then, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            for look in (self.reconcile, self._result_cache.settle_orphans):
                try:
                    await look()
                except UnavailableError as error:
                    log.info("sweeping later", error=str(error))

    async def on_connect(self) -> None:
        """NATS was away, so that nothing could move: begin to wait anew."""
        self._since.clear()

    async def reconcile(self) -> None:
        """Look at every job that stands still.

        Raises:
            UnavailableError: if NATS is away, or the queue is full.
        """
        quiet = self._standing_still()
        if quiet:
            await self.repair(quiet)

    async def repair(
        self, quiet: Iterable[Entry], given_up: Collection[int] = (), refused: Mapping[str, str] | None = None
    ) -> None:
        """Bring jobs that stand still to a worker, or to their end.

        Args:
            quiet: the jobs, as they were when they were found to stand still.
            given_up: numbers of messages that nobody gets again, beside those that their consumers tell of.
            refused: by a job's id, why a worker refused its message. Another one would be refused too.

        Raises:
            UnavailableError: if NATS is away, or the queue is full.
        """
        queue = await self._queue_reader.read(self._bus.client, given_up)
        for entry in quiet:
            record = entry.record
            why = (refused or {}).get(record.job_id)
            try:
                await self._repair(entry, queue, why)
            except (DamagedRecordError, TransitionError) as error:
                # One such record must not keep the others from being looked at.
                log.warning("swept past a damaged record", job_id=record.job_id, error=str(error))
            # Its message is there: time enough to look again later.
            self._since.pop(record.job_id, None)

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
        with suppress(ConflictError):  # a worker moved it after all
            await self._record_store.update(entry, replace(record, updated_at=now()))

    def _standing_still(self) -> list[Entry]:
        """All that nobody moves but those that follow: they need no message, the cache looks after them."""
        moment = time.monotonic()
        unfinished = [each for each in self._index.unfinished() if not each.record.is_follower or self._is_old(each)]
        since: dict[str, tuple[int, float]] = {}
        for entry in unfinished:
            revision, began = self._since.get(entry.record.job_id, (0, moment))
            since[entry.record.job_id] = (entry.revision, began if revision == entry.revision else moment)
        self._since = since
        return [entry for entry in unfinished if moment - since[entry.record.job_id][1] >= STALL_TIME]

    async def _requeue(self, found: Entry, queue: QueueSnapshot) -> None:
        entry = await self._record_store.fetch(found.record.job_id)
        if entry is None:
            self._index.discard(found.record.job_id)  # an admin removed the record without a trace
            return
        if entry.revision != found.revision:
            self._index.apply(entry)  # the news of it is on its way
            return
        record, js = entry.record, self._bus.require()
        log.warning("queueing again", job_id=record.job_id, status=record.status.value)
        await ensure_announced(js, entry)
        if record.job_id in queue.stranded:
            # First, because it takes up room in a queue that may be full. Who dies here leaves a job without a message.
            await remove_message(js, queue.stranded[record.job_id])
        job = job_of(record)
        # Gateways that sweep the same queue publish the same message; what was there before is another one.
        await publish_job(js, job, record.traceparent, again=f"{entry.revision}.{queue.last}")
        metrics.requeued(record.recipe.model)

    async def _give_up(self, entry: Entry, queue: QueueSnapshot, end: JobRecord) -> None:
        try:
            entry = await self._record_store.update(entry, end)
        except ConflictError:
            return  # somebody moved it after all
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
        f"The job has waited for {UNSERVED.days} days, and no worker of its model is there. Start one with "
        f"MUSICGEN_MODEL_SIZE={record.recipe.model}, or choose a model that /health lists, and send the job again.",
    )


def _refused(record: JobRecord, why: str) -> JobRecord:
    return failed(
        record,
        f"A worker refused this job ({why}). Bring gateway and workers to the same version, and send the job again.",
    )
