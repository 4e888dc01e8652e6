"""A worker's hold on one job: a message to keep alive, and a record that only the holder may change.

The message is no fence, because a worker that was frozen can still acknowledge it. The record is: every change is a
compare-and-set on the revision of the last one, so a worker that lost the job notices at its next write.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from shared.errors import ConflictError, DamagedRecordError, QueueFullError, UnavailableError
from shared.failpoint import failpoint
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import EventType, JobRecord, JobStatus, job_of
from shared.metrics import DAMAGED
from shared.publisher import ensure_announced, publish_event, publish_job
from shared.records import Entry, Records
from shared.topology import HEARTBEAT
from shared.transitions import entered_engine, handed_back, reported

log = get_logger(__name__)

# Seconds within which the record changes at least once, also during encoding and uploading: to other workers, a job
# whose record does not change looks abandoned.
MAX_RECORD_IDLE = 0.8


async def acknowledge(message: Msg) -> None:
    """Remove a job from the queue. If the broker does not answer, it redelivers the finished job."""
    with suppress(nats.errors.Error):
        await message.ack_sync(timeout=2)


class LeaseLostError(Exception):
    """Another process changed the record: the job was cancelled, or another worker claimed it."""


class KeepRequestedError(Exception):
    """The client stopped the job and keeps the audio. `lease.record` has the request: build the next change from it."""


class Lease:
    """The job of `message`, with its record at `entry`. All writes to the record go through here, one at a time.

    Attributes:
        message: to be acknowledged when the job has ended.
        taken_over: set when another process took over or ended the job; the lease is lost.
        keep: set when the client stopped the job and keeps the audio made so far.
    """

    def __init__(self, js: JetStreamContext, records: Records, message: Msg, entry: Entry) -> None:
        self._js = js
        self._records = records
        self._entry = entry
        self._writing = asyncio.Lock()
        self._reporting = asyncio.Lock()
        self._ends: list[JobRecord] = []
        self.message = message
        self.taken_over = asyncio.Event()
        self.keep = asyncio.Event()

    @property
    def record(self) -> JobRecord:
        return self._entry.record

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """During the block, send heartbeats to the broker, change the record regularly, and watch it."""
        tasks = asyncio.create_task(self._keep_alive()), asyncio.create_task(self._touch_record())
        try:
            yield
        finally:
            await end(tasks)

    async def watch(self, *work: asyncio.Task[None]) -> None:
        """Wait until one of the tasks ends, or the client keeps what was made so far.

        Raises:
            LeaseLostError: if another process took the job over.
            Exception: that ended a task.
        """
        taken_over, keep = asyncio.create_task(self.taken_over.wait()), asyncio.create_task(self.keep.wait())
        try:
            await asyncio.wait({*work, taken_over, keep}, return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done():
                    await task
            if taken_over.done():
                raise LeaseLostError(self.record.job_id)
        finally:
            await end((taken_over, keep))

    async def check(self) -> None:
        """Read the record; set `taken_over` or `keep` if another process changed it. No effect while NATS is away."""
        with suppress(UnavailableError):
            async with self._writing:
                await self._refresh()

    async def write(self, record: JobRecord) -> None:
        """Replace the record. Writing the same one again after an error is safe.

        Raises:
            LeaseLostError: if another process changed the record.
            KeepRequestedError: if `record` was built before the client asked to keep the audio.
            UnavailableError: if NATS is away.
        """
        async with self._writing:
            while self.record != record:
                if self.taken_over.is_set() or self.record.status is not JobStatus.PROCESSING:
                    # A stop between the job's end and its acknowledgement must not queue the job again, and a late
                    # progress report must not take back a job that is queued again.
                    raise LeaseLostError(self.record.job_id)
                if self.keep.is_set() and not record.keep_requested:
                    raise KeepRequestedError(self.record.job_id)
                try:
                    self._entry = await self._records.update(self._entry, record)
                except DamagedRecordError as damage:
                    self._replace_damaged(damage)
                except ConflictError:
                    await self._refresh()

    async def finish(self, record: JobRecord) -> None:
        """`write` the end of this attempt, after any report that is being published; no report follows it.

        Raises:
            LeaseLostError, KeepRequestedError, UnavailableError: as `write`.
        """
        async with self._reporting:
            self._ends.append(record)
            await self.write(record)

    def has_written(self, end: JobRecord) -> bool:
        """Whether this attempt wrote `end`, perhaps without an answer: then no other process publishes its event."""
        return end in self._ends

    async def _refresh(self) -> None:
        """Read the record; adopt it if it belongs to this attempt, otherwise the lease is lost."""
        try:
            current = await self._records.get(self.record.job_id)
        except DamagedRecordError as damage:
            self._replace_damaged(damage)
            return
        if current is not None and current.revision <= self._entry.revision:
            return
        if current is None or not self._is_ours(current.record):
            self.taken_over.set()
            return
        # The gateway requested to keep the audio, or this is a write of ours whose answer was lost.
        self._entry = current
        if current.record.keep_requested:
            self.keep.set()

    def _replace_damaged(self, damage: DamagedRecordError) -> None:
        """Have the next write replace a damaged record with this worker's copy."""
        if damage.revision == self._entry.revision:
            return
        log.warning("damaged record replaced", job_id=self.record.job_id, error=str(damage))
        DAMAGED.labels("restored").inc()
        self._entry = Entry(self.record, damage.revision)

    def _is_ours(self, record: JobRecord) -> bool:
        ours = self.record
        holder, now_holder = (ours.worker_id, ours.attempts), (record.worker_id, record.attempts)
        return record.status is JobStatus.PROCESSING and holder == now_holder

    async def announce(self, kind: EventType | None = None) -> None:
        """Publish the event of the last write. Publishing it again is safe.

        Raises:
            UnavailableError: if NATS is away.
        """
        if kind is None:
            await ensure_announced(self._js, self._entry)
        else:
            await publish_event(self._js, self._entry, kind)

    async def enter_engine(self) -> None:
        """Record that a quarantined job is about to enter the engine: from now on, a crash counts as its own.

        Raises:
            LeaseLostError, KeepRequestedError, UnavailableError: as `write`.
        """
        async with self._reporting:
            if self.record.awaiting_engine:
                await self.write(entered_engine(self.record))

    async def report(self, progress: float, message: str) -> None:
        """Write and publish the progress, from 0 to 1; skipped while NATS is away, or if `keep` was just requested.

        Raises:
            LeaseLostError: if another process changed the record.
        """
        async with self._reporting:
            await self._report(progress, message)

    async def _report(self, progress: float, message: str) -> None:
        with suppress(UnavailableError, KeepRequestedError):
            await self.write(reported(self.record, progress, message))
            await self.announce("progress")

    async def current(self) -> Entry | None:
        """The record as it is in the bucket now."""
        return await self._records.get(self.record.job_id)

    async def hand_back(self, reason: str, delay: float, *, counted: bool, quarantined: bool = False) -> None:
        """Queue the job again, for another worker or a later attempt.

        Args:
            reason: for the client.
            delay: seconds before the broker redelivers the job.
            counted: whether this attempt counts; a stop of the worker does not.
            quarantined: whether the job must run exclusively from now on.

        Raises:
            LeaseLostError: if another process changed the record.
            KeepRequestedError: if the job must end with the audio made so far instead.
            UnavailableError: if NATS is away; the lease then expires.
        """
        queued = handed_back(self.record, reason, counted=counted, quarantined=quarantined)
        await self.finish(queued)
        failpoint("worker.after_hand_back")
        await self.announce()
        if delay:
            await self.message.nak(delay=delay)
        else:
            await self._requeue()

    async def _requeue(self) -> None:
        """Publish a new message and acknowledge the old one: a broker that restarts forgets a nak."""
        job = job_of(self.record)
        try:
            await publish_job(self._js, job, self.record.traceparent, again=str(self._entry.revision))
        except QueueFullError:
            await self.message.nak()
        else:
            await acknowledge(self.message)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                await self.message.in_progress()
            except nats.errors.Error as error:
                log.warning("lease not extended", job_id=self.record.job_id, error=repr(error))
            await self.check()

    async def _touch_record(self) -> None:
        """Change the record when nothing else does: other workers see from that, without a clock, that it is alive."""
        while self.record.status is JobStatus.PROCESSING and not self.taken_over.is_set():
            revision = self._entry.revision
            await asyncio.sleep(MAX_RECORD_IDLE)
            async with self._reporting:
                if revision == self._entry.revision:
                    with suppress(LeaseLostError):
                        await self._report(self.record.progress, self.record.message)
