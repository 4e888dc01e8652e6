"""Claims the job of a delivered message, or closes a job that must not run."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from shared import subjects, tracing
from shared.advisories import refusal
from shared.bounded import BoundedDict
from shared.bus import Bus
from shared.errors import ConflictError, DamagedRecordError, TransitionError
from shared.failpoint import failpoint
from shared.job_id import is_job_id
from shared.logs import get_logger
from shared.messages import UNDECODABLE, Job, JobRecord, JobStatus, now
from shared.metrics import DAMAGED
from shared.publisher import ensure_announced, has_ended, is_announced, publish_event
from shared.record_feed import STREAM
from shared.records import Entry, Records, encode_record
from shared.storage import Storage
from shared.stream_info import read_stream
from shared.transitions import MAX_ATTEMPTS, cancelled, claimed, failed, failed_from_message, promoted, restored
from worker import metrics
from worker.lease import Lease, acknowledge

log = get_logger(__name__)

# Seconds before the broker redelivers a job that another process may still be working on.
TAKEOVER_DELAY = 2.0
# Deliveries after which a job with a damaged record fails; until then, a gateway can restore the record.
DAMAGED_DELIVERIES = 4
# Deliveries that are remembered, of jobs whose next delivery may go to another worker.
REMEMBERED = 1000

_decode = msgspec.json.Decoder(Job).decode


@dataclass(frozen=True)
class Claimed:
    """This worker now holds the job."""

    lease: Lease


@dataclass(frozen=True)
class AlreadyFinished:
    """The job is in a terminal state; its message is still in the queue."""

    entry: Entry


@dataclass(frozen=True)
class NotClaimed:
    """The message was dealt with: refused, adopted by a running attempt, or to be redelivered later."""


ClaimResult = Claimed | AlreadyFinished | NotClaimed


async def refuse(client: Client, message: Msg, reason: str) -> None:
    """Remove a message that can never be processed; the broker's advisory contains the reason."""
    log.error("message refused", subject=message.subject, reason=reason)
    # nats-py's term() has no reason; the protocol does.
    await client.publish(message.reply, f"+TERM {reason}".encode())


async def close_finished(js: JetStreamContext, message: Msg, entry: Entry, storage: Storage) -> None:
    """Acknowledge the message of a finished job, after publishing its event and removing files without a result.

    Raises:
        UnavailableError: if NATS or S3 is away; the broker redelivers the message.
    """
    record = entry.record
    await ensure_announced(js, entry)
    if record.audio is None and record.claims > 0:
        await storage.remove_job(record.job_id)
    await acknowledge(message)


async def redeliver_later(message: Msg) -> None:
    """Have the broker redeliver a message in a moment, because another process may be working on the job.

    This includes publishing its terminal event: if two processes publish it, the stream stores one, but subscribers on
    core NATS receive both. So its author gets until the next delivery to publish it.
    """
    await message.nak(delay=TAKEOVER_DELAY)


class Claims:
    """Claims jobs for one worker.

    `adopt` receives a job's id and message; it returns whether the job already runs in this worker.
    """

    def __init__(self, bus: Bus, worker_id: str, adopt: Callable[[str, Msg], bool]) -> None:
        self._bus = bus
        self._worker_id = worker_id
        self._adopt = adopt
        self._seen: BoundedDict[str, int] = BoundedDict(REMEMBERED)
        self._damaged: BoundedDict[str, tuple[int, int]] = BoundedDict(REMEMBERED)
        self._claiming: set[str] = set()

    async def claim(self, records: Records, message: Msg) -> ClaimResult:
        """Claim the job of a message.

        Raises:
            UnavailableError: if NATS is away; the broker redelivers the message.
        """
        try:
            job = _decode(message.data)
        except UNDECODABLE as error:
            return await self._refused(message, _refusal(message, f"not a job: {error}"))
        if not is_job_id(job.job_id):
            return await self._refused(message, _refusal(message, "not a job: its id is malformed"))
        if message.metadata.num_delivered > 1:
            metrics.REDELIVERED.labels(job.recipe.model).inc()
        if job.job_id in self._claiming:
            # Two messages of one job: the record cannot tell two claims of the same worker apart.
            return await self._postponed(message)
        self._claiming.add(job.job_id)
        try:
            return await self._claim(records, message, job)
        except DamagedRecordError as damage:
            return await self._fail_damaged(records, message, job, damage)
        finally:
            self._claiming.discard(job.job_id)

    async def _claim(self, records: Records, message: Msg, job: Job) -> ClaimResult:
        js = self._bus.require()
        while True:
            entry = await records.get(job.job_id) or await self._restored(records, message, job)
            if entry is None:
                return await self._refused(message, f"{job.job_id} has no record")
            if entry.record.status.is_terminal:
                if not await is_announced(js, entry) and self._note_delivery(entry):
                    return await self._postponed(message)
                return AlreadyFinished(entry)
            if self._adopt(job.job_id, message):
                return NotClaimed()
            if self._is_alive_elsewhere(entry):
                return await self._postponed(message)
            written = await self._advance(js, records, entry)
            if written is not None:
                return _result(js, records, message, written)

    async def _advance(self, js: JetStreamContext, records: Records, entry: Entry) -> Entry | None:
        """Write and announce the job's next state; None if the record must be read again first."""
        if not entry.record.is_follower:
            # The author of this state may have crashed before announcing it.
            await ensure_announced(js, entry)
        try:
            written = await records.update(entry, self._next(entry.record))
        except ConflictError:
            return None  # cancelled in between, or claimed by another worker
        except TransitionError as error:
            # The record was edited so that no change of it is valid, such as a queued job with an error.
            data = encode_record(entry.record)
            raise DamagedRecordError(entry.record.job_id, entry.revision, data, str(error)) from error
        if written.record.status is JobStatus.QUEUED:
            return None  # a promoted follower is announced and claimed in the next round
        failpoint("worker.after_claim")
        await publish_event(js, written)
        return written

    def _next(self, record: JobRecord) -> JobRecord:
        """The state that this delivery leads to: promoted, cancelled, failed or claimed."""
        if record.is_follower:
            return promoted(record)  # its gateway queued it, and had yet to write that
        if record.keep_requested:
            message = "Job cancelled; what was made is lost, because its worker died"
            return cancelled(record, message, keep_requested=True)
        if record.attempts >= MAX_ATTEMPTS and not record.awaiting_engine:
            reason = f"The engine or the worker died {MAX_ATTEMPTS} times on this job."
            return failed(record, f"{reason} Try a shorter duration or another model.")
        tracing.link(record.attempt_traceparent)
        return claimed(record, self._worker_id, tracing.current_traceparent())

    async def _restored(self, records: Records, message: Msg, job: Job) -> Entry | None:
        """A new record for a job whose record expired while its message waited; None if there was no record."""
        bucket = await read_stream(self._bus.client, STREAM)
        if bucket.lifetime is None or bucket.ts - message.metadata.timestamp < bucket.lifetime:
            return None
        try:
            entry = await records.restore(restored(job))
        except ConflictError:
            return await records.get(job.job_id)
        log.warning("the record had expired and is made again", job_id=job.job_id)
        return entry

    async def _fail_damaged(self, records: Records, message: Msg, job: Job, damage: DamagedRecordError) -> ClaimResult:
        """Fail a job whose record is damaged, if neither its worker nor a gateway restores the record in time."""
        if self._adopt(job.job_id, message):
            return NotClaimed()
        revision, deliveries = self._damaged.pop(job.job_id, (damage.revision, 0))
        deliveries = deliveries + 1 if revision == damage.revision else 1
        if deliveries < DAMAGED_DELIVERIES:
            self._damaged[job.job_id] = damage.revision, deliveries
            return await self._postponed(message)
        log.error("damaged record", job_id=job.job_id, error=str(damage))
        if await has_ended(self._bus.require(), job.job_id):
            DAMAGED.labels("left").inc()
            return await self._refused(message, f"{job.job_id} has ended, and its record is damaged")
        try:
            entry = await records.replace_damaged(failed_from_message(job), damage.revision)
        except ConflictError:
            return await self._postponed(message)
        DAMAGED.labels("failed").inc()
        return AlreadyFinished(entry)

    def _is_alive_elsewhere(self, entry: Entry) -> bool:
        """Whether another worker may be running the job.

        A broker that restarted redelivers running jobs. A running job's record changes many times between two
        deliveries, so an unchanged one has no worker. Clocks are not compared, because they differ.
        """
        record = entry.record
        if record.status is not JobStatus.PROCESSING or record.worker_id == self._worker_id:
            return False
        return self._note_delivery(entry)

    def _note_delivery(self, entry: Entry) -> bool:
        """Remember the record's revision; returns whether this worker sees it for the first time."""
        if self._seen.pop(entry.record.job_id, None) == entry.revision:
            return False
        self._seen[entry.record.job_id] = entry.revision
        return True

    async def _refused(self, message: Msg, reason: str) -> NotClaimed:
        await refuse(self._bus.client, message, reason)
        return NotClaimed()

    async def _postponed(self, message: Msg) -> NotClaimed:
        await redeliver_later(message)
        return NotClaimed()


def _refusal(message: Msg, why: str) -> str:
    """The reason for refusing an unreadable message, with the job's id if the message header has it."""
    job_id = (message.headers or {}).get(subjects.MSG_ID, "").split(".")[0]
    return refusal(job_id, why) if is_job_id(job_id) else why


def _result(js: JetStreamContext, records: Records, message: Msg, entry: Entry) -> ClaimResult:
    record = entry.record
    if record.status.is_terminal:
        metrics.JOBS.labels(record.recipe.model, record.status.value, "attempts").inc()
        return AlreadyFinished(entry)
    if record.attempts == 1:
        metrics.observe_first_claim(record, (now() - record.created_at).total_seconds())
    return Claimed(Lease(js, records, message, entry))
