"""The life of a job as a table: every change of a record that is allowed, and nothing else is written.

The compare-and-set on the record's revision says who may write; this says what. docs/reliability.md has the diagram.
"""

import re
from typing import NamedTuple

from msgspec.structs import replace

from shared.errors import TransitionError
from shared.messages import JobRecord, JobStatus, now


class Transition(NamedTuple):
    """One way in which a record may change.

    Attributes:
        name: what happens, in a word.
        before: the status that is left; None for a job that is not there yet.
        after: the status that is reached.
        writer: who may do it.
        attempts: by how much `attempts` may change.
    """

    name: str
    before: JobStatus | None
    after: JobStatus
    writer: str
    attempts: tuple[int, ...] = (0,)


_QUEUED, _PROCESSING = JobStatus.QUEUED, JobStatus.PROCESSING

TRANSITIONS = (
    Transition("accept", None, _QUEUED, "gateway"),
    # A job that follows waits for an equal one: it is made itself, or answered with what that one made. The record of a
    # job that has waited for days is renewed, so that it does not expire.
    Transition("have made, renew", _QUEUED, _QUEUED, "gateway, any worker"),
    Transition("answer", _QUEUED, JobStatus.COMPLETED, "gateway"),
    Transition("claim", _QUEUED, _PROCESSING, "any worker", (1,)),
    Transition("give up", _QUEUED, JobStatus.FAILED, "any worker, gateway, operator"),
    Transition("cancel", _QUEUED, JobStatus.CANCELLED, "gateway"),
    Transition("report, keep", _PROCESSING, _PROCESSING, "its worker, gateway"),
    # Without another attempt where a suspect still waits for the engine: it did nothing to its worker.
    Transition("take over", _PROCESSING, _PROCESSING, "any worker", (0, 1)),
    # A stop of the worker takes the attempt back; `claims` goes on rising.
    Transition("hand back", _PROCESSING, _QUEUED, "its worker", (0, -1)),
    Transition("complete", _PROCESSING, JobStatus.COMPLETED, "its worker"),
    Transition("fail", _PROCESSING, JobStatus.FAILED, "any worker, operator"),
    Transition("cancel, kept", _PROCESSING, JobStatus.CANCELLED, "gateway, any worker"),
    # An end stays what it is: only its audio is used, given up, or found to be lost.
    Transition("renew, expire, lose", JobStatus.COMPLETED, JobStatus.COMPLETED, "gateway, any worker, operator"),
    Transition("renew, expire, lose", JobStatus.CANCELLED, JobStatus.CANCELLED, "gateway, any worker, operator"),
)

# Where files of jobs are, and how their checksums look.
_KEY = re.compile(r"jobs/gen_[a-z0-9]{12}/[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
FIRST_YEAR = 2000
# What a job is never changes.
IDENTITY = ("job_id", "recipe", "created_at", "fingerprint", "traceparent", "owner")
# What changes when audio is used, or a file beside it lost; and what else, when the audio is given up or lost.
RENEWED = frozenset({"updated_at", "seq", "lost"})
EXPIRED = RENEWED | {"expired_at", "message"}


def failed(record: JobRecord, reason: str) -> JobRecord:
    """The record of a job that ends as failed outside of a worker's attempt; its client reads the reason."""
    moment = now()
    return replace(
        record,
        status=JobStatus.FAILED,
        follows=False,
        message="Generation failed",
        error_message=reason,
        updated_at=moment,
        completed_at=moment,
    )


def flaw(record: JobRecord) -> str | None:
    """What makes a record one that no job has, whatever it was before; None if it is sound."""
    status, moments = record.status, (record.created_at, record.updated_at, record.started_at, record.completed_at)
    if record.audio is not None and status not in (JobStatus.COMPLETED, JobStatus.CANCELLED):
        return "only a job that has ended well, or was stopped, has audio"
    if record.audio is None and status is JobStatus.COMPLETED:
        return "a completed job has audio"
    if (status is JobStatus.FAILED) != (record.error_message is not None):
        return "a job that failed, and no other, has a reason"
    if record.follows and status is not _QUEUED:
        return "only a queued job follows"
    for file in (record.audio, *record.outputs):
        if file is not None and not (_KEY.fullmatch(file.key) and _SHA256.fullmatch(file.sha256)):
            return "a file has a key or a checksum that no job's file has"
    if any(moment is not None and moment.year < FIRST_YEAR for moment in moments):
        return f"it tells of a time before {FIRST_YEAR}"
    return None


def check(before: JobRecord | None, after: JobRecord) -> Transition:
    """The transition that leads from one record to the other.

    Raises:
        TransitionError: if there is none.
    """
    status = before.status if before else None
    change = after.attempts - (before.attempts if before else 0)
    for transition in TRANSITIONS:
        if (transition.before, transition.after) == (status, after.status) and change in transition.attempts:
            _check_fields(before, after)
            _check_sharing(before, after)
            _check_end(before, after)
            return transition
    raise _refusal(before, after, f"attempts changed by {change}")


def _check_fields(before: JobRecord | None, after: JobRecord) -> None:
    if wrong := flaw(after):
        raise _refusal(before, after, wrong)
    if before is None:
        return
    if after.claims < before.claims:
        raise _refusal(before, after, "claims never fall")
    same_attempt = before.status is after.status is _PROCESSING and after.attempts == before.attempts
    if same_attempt and after.worker_id != before.worker_id and not before.waits:
        raise _refusal(before, after, "another worker begins another attempt")
    changed = [name for name in IDENTITY if getattr(before, name) != getattr(after, name)]
    if changed:
        raise _refusal(before, after, f"{', '.join(changed)} changed")


def _check_sharing(before: JobRecord | None, after: JobRecord) -> None:
    follows, source = (before.follows, before.source) if before else (True, None)
    if after.follows and (after.status is not _QUEUED or not follows):
        raise _refusal(before, after, "only a job that was never in the queue follows")
    if (
        before
        and before.status is after.status is _QUEUED
        and follows == after.follows
        and not _is_renewal(before, after)
    ):
        raise _refusal(before, after, "a queued job is only renewed, unless it follows and is had made")
    if before and follows and after.status is _PROCESSING:
        raise _refusal(before, after, "a job that follows is had made before it is claimed")
    answered = before is not None and before.status is _QUEUED and after.status is JobStatus.COMPLETED
    if answered and not (follows and after.source):
        raise _refusal(before, after, "only a job that follows is answered, and with another one's audio")
    if not answered and after.source != source:
        raise _refusal(before, after, "only a job that is answered has a source, and keeps it")


def _is_renewal(before: JobRecord, after: JobRecord) -> bool:
    return before.updated_at != after.updated_at and replace(before, updated_at=after.updated_at) == after


def _check_end(before: JobRecord | None, after: JobRecord) -> None:
    if before is None or not before.status.is_terminal:
        if after.expired_at is not None or after.seq or after.lost:
            raise _refusal(before, after, "a job ends before its audio is used, expires or is lost")
        return
    changed = {name for name in JobRecord.__struct_fields__ if getattr(before, name) != getattr(after, name)}
    if not before.has_audio or changed - (RENEWED if after.expired_at is None else EXPIRED):
        raise _refusal(before, after, f"{', '.join(sorted(changed))} changed after the end")
    if after.lost != before.lost:
        _check_loss(before, after)
    if after.seq == 0 or before.seq not in (0, after.seq):
        raise _refusal(before, after, "the number of its last event stays")


def _check_loss(before: JobRecord, after: JobRecord) -> None:
    if after.source is not None:
        raise _refusal(before, after, "files are lost to the job that keeps them")
    if after.lost[:-1] != before.lost or after.lost[-1] in before.lost:
        raise _refusal(before, after, "one file is lost at a time, and stays lost")
    if after.lost[-1] not in {file.key for file in (after.audio, *after.outputs) if file}:
        raise _refusal(before, after, "only a file of the job is lost")
    if after.audio is not None and after.lost[-1] == after.audio.key and after.expired_at is None:
        raise _refusal(before, after, "a job whose audio is lost has none any more")


def _refusal(before: JobRecord | None, after: JobRecord, why: str) -> TransitionError:
    status = before.status.value if before else "nothing"
    return TransitionError(
        f"Job {after.job_id} cannot go from {status} to {after.status.value}: {why}. "
        "Nothing was written; this is a mistake in the program that tried, please report it with its log."
    )
