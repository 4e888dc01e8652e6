"""From a delivered message to a lease, or to the end of a job that must not run."""

from collections.abc import Callable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from shared import subjects
from shared.advisories import refusal
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

# Seconds between two looks at a job that somebody else may still be working on.
TAKEOVER_DELAY = 2.0
# A job whose record is damaged fails at so many looks: in the meantime a gateway can put the record back.
DAMAGED_LOOKS = 4
# So many first looks are remembered.
REMEMBERED = 1000

_decode = msgspec.json.Decoder(Job).decode


async def terminate(client: Client, message: Msg, reason: str) -> None:
    """Take a message that can never work from the queue; the reason shows in the broker's advisory."""
    log.error("message refused", subject=message.subject, reason=reason)
    # nats-py's term() has no reason; the protocol does.
    await client.publish(message.reply, f"+TERM {reason}".encode())


async def close_finished(js: JetStreamContext, message: Msg, entry: Entry, storage: Storage) -> None:
    """Take the message of a job that somebody else ended from the queue, and leave no audio of a job without a result.

    Raises:
        UnavailableError: if NATS or S3 is away; the message comes again.
    """
    record = entry.record
    await ensure_announced(js, entry)
    if record.audio is None and record.claims > 0:
        await storage.remove_job(record.job_id)
    await acknowledge(message)


async def look_again(message: Msg) -> None:
    """Have a job's message delivered again in a moment: somebody else may just be at work on it.

    That goes for an end that was not told yet, too. Two who tell it are stored as one, and yet heard twice by those who
    listen on NATS: whoever ended the job has the time until the next look.
    """
    await message.nak(delay=TAKEOVER_DELAY)


class Claims:
    """Claims jobs for one worker.

    `adopt` is given the message of a job and says whether that job runs in this worker already.
    """

    def __init__(self, bus: Bus, worker_id: str, adopt: Callable[[str, Msg], bool]) -> None:
        self._bus = bus
        self._worker_id = worker_id
        self._adopt = adopt
        self._seen: dict[str, int] = {}
        self._damaged: dict[str, tuple[int, int]] = {}
        self._claiming: set[str] = set()

    async def claim(self, records: Records, message: Msg) -> Lease | Entry | None:
        """Make the job ours.

        Returns:
            The lease; or the entry of a job that is finished already; or None if there is nothing to do.

        Raises:
            UnavailableError: if NATS is away; the message comes again.
        """
        try:
            job = _decode(message.data)
        except UNDECODABLE as error:
            await terminate(self._bus.client, message, _refusal(message, f"not a job: {error}"))
            return None
        job_id = job.job_id
        if not is_job_id(job_id):
            await terminate(self._bus.client, message, _refusal(message, "not a job: its id is malformed"))
            return None
        if job_id in self._claiming:
            # Two messages of one job at a time: the record would not keep a worker from itself.
            await look_again(message)
            return None
        self._claiming.add(job_id)
        try:
            return await self._claim(records, message, job)
        except DamagedRecordError as damage:
            return await self._fail_damaged(records, message, job, damage)
        finally:
            self._claiming.discard(job_id)

    async def _fail_damaged(
        self, records: Records, message: Msg, job: Job, damage: DamagedRecordError
    ) -> Lease | Entry | None:
        """End a job whose record is damaged, if neither its worker nor a gateway puts the record back."""
        job_id, js = job.job_id, self._bus.require()
        if self._adopt(job_id, message):
            return None
        revision, looks = self._damaged.pop(job_id, (damage.revision, 0))
        looks = looks + 1 if revision == damage.revision else 1
        if looks < DAMAGED_LOOKS:
            self._damaged[job_id] = damage.revision, looks
            if len(self._damaged) > REMEMBERED:
                del self._damaged[next(iter(self._damaged))]
            await look_again(message)
            return None
        log.error("damaged record", job_id=job_id, error=str(damage))
        if await has_ended(js, job_id):
            DAMAGED.labels("left").inc()
            await terminate(self._bus.client, message, f"{job_id} has ended, and its record is damaged")
            return None
        try:
            entry = await records.mend(failed_from_message(job), damage.revision)
        except ConflictError:
            await look_again(message)
            return None
        DAMAGED.labels("failed").inc()
        return entry

    async def _claim(self, records: Records, message: Msg, job: Job) -> Lease | Entry | None:
        js, job_id = self._bus.require(), job.job_id
        while True:
            entry = await records.get(job_id) or await self._restored(records, message, job)
            if entry is None:
                await terminate(self._bus.client, message, f"{job_id} has no record")
                return None
            if entry.record.status.is_terminal:
                if not await is_announced(js, entry) and self._is_first_look(entry):
                    await look_again(message)
                    return None
                return entry
            if self._adopt(job_id, message):
                return None
            if self._is_alive_elsewhere(entry):
                await look_again(message)
                return None
            if not entry.record.is_follower:
                # Whoever wrote this state may have died before telling: what is found is announced first.
                await ensure_announced(js, entry)
            following = self._next(entry.record)
            try:
                entry = await records.update(entry, following)
            except ConflictError:
                continue  # cancelled in between, or claimed: look again
            except TransitionError as error:
                # An edit that made a record of which nothing can come, such as a queued job with an error.
                raise DamagedRecordError(job_id, entry.revision, encode_record(entry.record), str(error)) from error
            if entry.record.status is JobStatus.QUEUED:
                continue  # to be told, and claimed then
            failpoint("worker.after_claim")
            await publish_event(js, entry)
            return _outcome(js, records, message, entry)

    async def _restored(self, records: Records, message: Msg, job: Job) -> Entry | None:
        """A new record for a job whose own one expired while its message waited; None if that is not why it is gone."""
        bucket = await read_stream(self._bus.client, STREAM)
        if bucket.lifetime is None or bucket.ts - message.metadata.timestamp < bucket.lifetime:
            return None
        try:
            entry = await records.restore(restored(job))
        except ConflictError:
            return await records.get(job.job_id)
        log.warning("the record had expired and is made again", job_id=job.job_id)
        return entry

    def _next(self, record: JobRecord) -> JobRecord:
        if record.is_follower:
            return promoted(record)  # its gateway was about to
        if record.keep_requested:
            return _lost(record)
        if record.attempts >= MAX_ATTEMPTS and not record.awaiting_engine:
            return _exhausted(record)
        return claimed(record, self._worker_id)

    def _is_alive_elsewhere(self, entry: Entry) -> bool:
        """Whether another worker's record moves: it reports many times in the time between two looks.

        A broker that crashed delivers jobs again that are being worked on. No clock is asked: clocks differ.
        """
        record = entry.record
        if record.status is not JobStatus.PROCESSING or record.worker_id == self._worker_id:
            return False
        return self._is_first_look(entry)

    def _is_first_look(self, entry: Entry) -> bool:
        if self._seen.pop(entry.record.job_id, None) == entry.revision:
            return False
        self._seen[entry.record.job_id] = entry.revision
        if len(self._seen) > REMEMBERED:  # another worker had the second look at most of them
            del self._seen[next(iter(self._seen))]
        return True


def _refusal(message: Msg, why: str) -> str:
    """The reason to refuse a message that cannot be read with. Its header may tell which job it was to bring."""
    job_id = (message.headers or {}).get(subjects.MSG_ID, "").split(".")[0]
    return refusal(job_id, why) if is_job_id(job_id) else why


def _outcome(js: JetStreamContext, records: Records, message: Msg, entry: Entry) -> Lease | Entry:
    record = entry.record
    if record.status.is_terminal:
        metrics.JOBS.labels(record.recipe.model, record.status.value, "attempts").inc()
        return entry
    if record.attempts == 1:
        metrics.QUEUED.labels(record.recipe.model).observe((now() - record.created_at).total_seconds())
    return Lease(js, records, message, entry)


def _exhausted(record: JobRecord) -> JobRecord:
    return failed(record, f"{MAX_ATTEMPTS} workers died on this job. Try a shorter duration or another model.")


def _lost(record: JobRecord) -> JobRecord:
    """The end of a job that a client stopped, and whose worker died before it could store the audio made so far."""
    message = "Job cancelled; what was made is lost, because its worker died"
    return cancelled(record, message, keep_requested=True)
