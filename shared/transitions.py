"""The valid changes of a job's record: the table of transitions, and the functions that make them.

The compare-and-set on the record's revision decides which writer wins. docs/reliability.md has the diagram.
"""

from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from shared.files import Audio, Output
from shared.lanes import NORMAL
from shared.messages import Job, JobRecord, JobStatus, Recipe, RequestedTake, now
from shared.webhook import Webhook


class Transition(NamedTuple):
    """One valid change of a record.

    Attributes:
        before: the status before the change; None for a job without a record.
        writer: the processes that may write it.
        attempts: valid changes of `attempts`.
    """

    name: str
    before: JobStatus | None
    after: JobStatus
    writer: str
    attempts: tuple[int, ...] = (0,)


_QUEUED, _PROCESSING = JobStatus.QUEUED, JobStatus.PROCESSING

TRANSITIONS = (
    Transition("accept", None, _QUEUED, "gateway"),
    # A follower is promoted to the queue, or answered with its leader's audio. The record of a job that has waited for
    # days is renewed so that it does not expire.
    Transition("promote, renew", _QUEUED, _QUEUED, "gateway, any worker"),
    Transition("answer", _QUEUED, JobStatus.COMPLETED, "gateway"),
    Transition("claim", _QUEUED, _PROCESSING, "any worker", (1,)),
    Transition("give up", _QUEUED, JobStatus.FAILED, "any worker, gateway, operator"),
    Transition("cancel", _QUEUED, JobStatus.CANCELLED, "gateway"),
    Transition("report, keep", _PROCESSING, _PROCESSING, "its worker, gateway"),
    # A quarantined job that was still waiting for the engine cannot have crashed its worker: no attempt is counted.
    Transition("take over", _PROCESSING, _PROCESSING, "any worker", (0, 1)),
    # A graceful stop of the worker takes the attempt back; `claims` never falls.
    Transition("hand back", _PROCESSING, _QUEUED, "its worker", (0, -1)),
    Transition("complete", _PROCESSING, JobStatus.COMPLETED, "its worker"),
    Transition("fail", _PROCESSING, JobStatus.FAILED, "any worker, operator"),
    Transition("cancel, kept", _PROCESSING, JobStatus.CANCELLED, "gateway, any worker"),
    # A terminal status never changes; only the audio's last use, expiry and loss are recorded.
    Transition("renew, expire, lose", JobStatus.COMPLETED, JobStatus.COMPLETED, "gateway, any worker, operator"),
    Transition("renew, expire, lose", JobStatus.CANCELLED, JobStatus.CANCELLED, "gateway, any worker, operator"),
)

# After this many attempts that took down the engine or the worker, or could not store the audio, a job fails.
MAX_ATTEMPTS = 3
DAMAGED = "The record of this job was damaged, and the job cannot continue. Send the job again."

CANCELLED = "Job cancelled"
_STARTED = "Generation job started"


def accepted(
    job_id: str,
    recipe: Recipe,
    created_at: datetime,
    *,
    fingerprint: str | None = None,
    traceparent: str | None = None,
    owner: str | None = None,
    lane: str = NORMAL,
    takes: tuple[RequestedTake, ...] = (),
    cancel_at: datetime | None = None,
    webhook: Webhook | None = None,
) -> JobRecord:
    """A new job that goes to the queue."""
    return JobRecord(
        job_id=job_id,
        recipe=recipe,
        created_at=created_at,
        updated_at=created_at,
        message=_STARTED,
        fingerprint=fingerprint,
        traceparent=traceparent,
        owner=owner,
        lane=lane,
        takes=takes,
        cancel_at=cancel_at,
        webhook=webhook,
    )


def restored(job: Job) -> JobRecord:
    """A queued job from its message, for a job whose record expired."""
    return JobRecord(
        job_id=job.job_id,
        recipe=job.recipe,
        created_at=job.created_at,
        updated_at=now(),
        owner=job.owner,
        fingerprint=job.fingerprint,
        lane=job.lane,
        webhook=job.webhook,
    )


def as_follower(record: JobRecord) -> JobRecord:
    """A new job without a message in the queue: it gets stored audio, waits for an equal job, or is promoted."""
    return replace(record, is_follower=True, message="The same music is being generated; this job will get it too")


def promoted(record: JobRecord) -> JobRecord:
    """A follower that goes to the queue because it has no leader."""
    return replace(record, is_follower=False, message=_STARTED, updated_at=now())


def record_renewed(record: JobRecord) -> JobRecord:
    """The same state with a later time, so that the record of a job in the queue does not expire."""
    return replace(record, updated_at=now())


def answered(record: JobRecord, source: JobRecord) -> JobRecord:
    """A follower that is completed with the stored audio of `source`."""
    return _ended(
        record,
        JobStatus.COMPLETED,
        "Taken from the cache: the same music was generated before",
        progress=1.0,
        source=source.job_id,
        audio=source.audio,
        outputs=source.outputs,
        extras=source.extras,
        warnings=source.warnings,
        checkpoint=source.checkpoint,
        music=source.music,
        measured=source.measured,
        seed=source.seed,
    )


def claimed(record: JobRecord, worker_id: str, traceparent: str | None = None) -> JobRecord:
    """A job that a worker takes, from the queue or from a worker that died.

    Another job in the same worker may have caused earlier crashes, so the last attempt runs exclusively.
    """
    is_last_takeover = record.status is JobStatus.PROCESSING and record.attempts >= MAX_ATTEMPTS - 1
    quarantined = record.quarantined or is_last_takeover
    moment = now()
    return replace(
        record,
        status=JobStatus.PROCESSING,
        progress=0.0,
        message="Generating",
        attempts=record.attempts if record.awaiting_engine else record.attempts + 1,
        claims=record.claims + 1,
        worker_id=worker_id,
        attempt_traceparent=traceparent,
        quarantined=quarantined,
        awaiting_engine=quarantined,
        started_at=moment,
        updated_at=moment,
    )


def handed_back(record: JobRecord, message: str, *, counted: bool, quarantined: bool = False) -> JobRecord:
    """A running job that returns to the queue; `counted` keeps the attempt on its account."""
    return replace(
        record,
        status=JobStatus.QUEUED,
        progress=0.0,
        message=message,
        attempts=record.attempts if counted else record.attempts - 1,
        worker_id=None,
        started_at=None,
        quarantined=quarantined or record.quarantined,
        awaiting_engine=False,
        updated_at=now(),
    )


def entered_engine(record: JobRecord) -> JobRecord:
    """A quarantined job that enters the engine; from now on, a crash counts as its own."""
    return replace(record, awaiting_engine=False, updated_at=now())


def reported(record: JobRecord, progress: float, message: str) -> JobRecord:
    """A running job with new progress, from 0 to 1."""
    return replace(record, progress=progress, message=message, updated_at=now())


def finished(
    record: JobRecord, status: JobStatus, message: str, *, error_message: str | None = None, **stored: object
) -> JobRecord:
    """A job that its attempt brought to a terminal state. `stored` are the record's fields about what it stored."""
    return _ended(
        record,
        status,
        message,
        progress=1.0 if status is JobStatus.COMPLETED else record.progress,
        error_message=error_message,
        quarantined=False,
        awaiting_engine=False,
        **stored,
    )


def stopping(record: JobRecord) -> JobRecord:
    """A running job whose client wants to stop it and keep the audio made so far."""
    return replace(record, keep_requested=True, message="Stopping; what was made is kept", updated_at=now())


def cancelled(record: JobRecord, message: str = CANCELLED, *, keep_requested: bool = False) -> JobRecord:
    """A job that a client stopped, without audio."""
    return _ended(record, JobStatus.CANCELLED, message, keep_requested=keep_requested)


def failed(record: JobRecord, reason: str) -> JobRecord:
    """A job that fails outside of a worker's attempt; the client reads `reason`."""
    return _ended(record, JobStatus.FAILED, "Generation failed", error_message=reason)


def failed_by_damage(record: JobRecord) -> JobRecord:
    """The failure of a job whose record is damaged, from its last known state."""
    sound = replace(record, quarantined=False, awaiting_engine=False, source=None, audio=None, outputs=(), extras=())
    return failed(sound, DAMAGED)


def failed_from_message(job: Job) -> JobRecord:
    """The same, when only its message is known. One claim, because an earlier attempt may have stored files."""
    return failed_by_damage(replace(restored(job), claims=1))


def _ended(record: JobRecord, status: JobStatus, message: str, **fields: object) -> JobRecord:
    moment = now()
    common = {"is_follower": False, "updated_at": moment, "completed_at": moment}
    return replace(record, status=status, message=message, **common, **fields)


def audio_renewed(record: JobRecord, revision: int) -> JobRecord:
    """A finished job whose audio was downloaded or shared. Its event keeps its `seq`, so nothing is announced again."""
    return _bookkeeping(record, revision)


def expired(record: JobRecord, revision: int) -> JobRecord:
    """A finished job whose audio is about to be removed."""
    return _bookkeeping(record, revision, expired_at=now(), message="The audio has expired")


def file_lost(record: JobRecord, revision: int, file: Audio | Output) -> JobRecord:
    """A finished job that lost a file; without its audio the job has expired."""
    lost = (*record.lost, file.key)
    if file != record.audio:
        return _bookkeeping(record, revision, lost=lost)
    message = "The audio is lost: its file is missing from the store or damaged. POST the recipe to make it again."
    return _bookkeeping(record, revision, lost=lost, expired_at=now(), message=message)


def _bookkeeping(record: JobRecord, revision: int, **fields: object) -> JobRecord:
    return replace(record, seq=record.seq or revision, updated_at=now(), **fields)
