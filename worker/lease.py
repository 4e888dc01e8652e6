"""A worker's hold on one job: a message to keep alive, and a record that only its holder may change.

The message alone is no fence: a worker that was frozen can still acknowledge. The record is: every change
is a compare-and-set on the revision of the last one, so whoever lost the job learns it at the next step.
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
from shared.transitions import admitted, handed_back, reported

log = get_logger(__name__)

# Seconds in which the record moves at least once, in encoding and uploading too: one that does not looks abandoned.
PULSE = 0.8


async def acknowledge(message: Msg) -> None:
    """Take a job from the queue for good. If the broker does not answer, it comes again and is seen as done."""
    with suppress(nats.errors.Error):
        await message.ack_sync(timeout=2)


class LeaseLostError(Exception):
    """Somebody else changed the record: the job was cancelled, or another worker has it now."""


class KeepRequestedError(Exception):
    """A person stopped the job and keeps what was made. The lease has adopted that record: draft the change anew."""


class Lease:
    """The job of `message`, whose record stands at `entry`. All writes to the record go through here, in turn.

    Attributes:
        message: to be acknowledged when the job has ended.
        lost: set when the job is no longer ours.
        keep: set when it is to be ended with what was made until now.
    """

    def __init__(self, js: JetStreamContext, records: Records, message: Msg, entry: Entry) -> None:
        self._js = js
        self._records = records
        self._entry = entry
        self._writing = asyncio.Lock()
        self._reporting = asyncio.Lock()
        self.message = message
        self.lost = asyncio.Event()
        self.keep = asyncio.Event()

    @property
    def record(self) -> JobRecord:
        return self._entry.record

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """While the block runs, the broker is told that the work goes on and the record is looked at."""
        tasks = asyncio.create_task(self._keep_alive()), asyncio.create_task(self._pulse())
        try:
            yield
        finally:
            await end(tasks)

    async def check(self) -> None:
        """Look whether the job is still ours, and still wanted as a whole; `lost` and `keep` tell."""
        # Not knowing is no reason to stop.
        with suppress(UnavailableError):
            async with self._writing:
                await self._look()

    async def write(self, record: JobRecord) -> None:
        """Replace the record. Writing the same one again after an error is safe.

        Raises:
            LeaseLostError: if the job is no longer ours.
            KeepRequestedError: if the record does not know yet that a person keeps what was made.
            UnavailableError: if NATS is away.
        """
        async with self._writing:
            while self.record != record:
                if self.lost.is_set() or self.record.status is not JobStatus.PROCESSING:
                    # A stop that comes between this job's end and its acknowledgement must not queue it again, and
                    # a last report must not take back a job that is queued again.
                    raise LeaseLostError(self.record.job_id)
                if self.keep.is_set() and not record.keep_requested:
                    raise KeepRequestedError(self.record.job_id)
                try:
                    self._entry = await self._records.update(self._entry, record)
                except DamagedRecordError as damage:
                    self._adopt(damage)
                except ConflictError:
                    await self._look()

    async def finish(self, record: JobRecord) -> None:
        """`write` the end of this attempt, after a report that is just being told: none is told after it.

        Raises:
            LeaseLostError, KeepRequestedError, UnavailableError: as `write`.
        """
        async with self._reporting:
            await self.write(record)

    async def _look(self) -> None:
        """Adopt the record as it is now if it still tells of this attempt; otherwise the lease is lost."""
        try:
            current = await self._records.get(self.record.job_id)
        except DamagedRecordError as damage:
            self._adopt(damage)
            return
        if current is not None and current.revision <= self._entry.revision:
            return
        if current is None or not self._is_ours(current.record):
            self.lost.set()
            return
        # The gateway's wish to keep, or a write of ours whose answer was lost.
        self._entry = current
        if current.record.keep_requested:
            self.keep.set()

    def _adopt(self, damage: DamagedRecordError) -> None:
        """The next write puts this worker's copy in the place of a damaged record."""
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
        """Publish what was written. Doing it again is safe.

        Raises:
            UnavailableError: if NATS is away.
        """
        if kind is None:
            await ensure_announced(self._js, self._entry)
        else:
            await publish_event(self._js, self._entry, kind)

    async def begin(self) -> None:
        """Note that a suspect is let into the engine, before it does anything there: from now on a death counts.

        Raises:
            LeaseLostError, KeepRequestedError, UnavailableError: as `write`.
        """
        async with self._reporting:
            if self.record.awaiting_engine:
                await self.write(admitted(self.record))

    async def progress(self, fraction: float, message: str) -> None:
        """Write and announce how far the work is; not while NATS is away, nor when `keep` comes in between.

        Raises:
            LeaseLostError: if the job is no longer ours.
        """
        async with self._reporting:
            await self._report(fraction, message)

    async def _report(self, fraction: float, message: str) -> None:
        with suppress(UnavailableError, KeepRequestedError):
            await self.write(reported(self.record, fraction, message))
            await self.announce("progress")

    async def current(self) -> Entry | None:
        """The record as it is now, whoever wrote it."""
        return await self._records.get(self.record.job_id)

    async def hand_back(self, message: str, delay: float, *, counted: bool, quarantined: bool = False) -> None:
        """Queue the job again, for another worker or a later time.

        Args:
            message: why, for the one who waits.
            delay: seconds before the broker delivers it again.
            counted: whether this attempt counts; a stop of the worker does not.
            quarantined: whether the job must run exclusively from now on.

        Raises:
            LeaseLostError: if the job is no longer ours.
            KeepRequestedError: if it must end with what was made instead.
            UnavailableError: if NATS is away; the lease runs out by itself then.
        """
        queued = handed_back(self.record, message, counted=counted, quarantined=quarantined)
        await self.finish(queued)
        failpoint("worker.after_hand_back")
        await self.announce()
        if delay:
            await self.message.nak(delay=delay)
        else:
            await self._queue_anew()

    async def _queue_anew(self) -> None:
        """A new message, then the old one's end: a broker that restarts forgets a nak and would wait out the lease."""
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
                log.warning("heartbeat failed", job_id=self.record.job_id, error=repr(error))
            await self.check()

    async def _pulse(self) -> None:
        """Move the record whenever nothing else does: other workers see by that, and by no clock, that it lives."""
        while self.record.status is JobStatus.PROCESSING and not self.lost.is_set():
            revision = self._entry.revision
            await asyncio.sleep(PULSE)
            async with self._reporting:
                if revision == self._entry.revision:
                    with suppress(LeaseLostError):
                        await self._report(self.record.progress, self.record.message)
