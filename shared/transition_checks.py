"""The check of a change before a record is written: the table of transitions, and the rules about fields."""

from msgspec.structs import replace

from shared.errors import TransitionError
from shared.messages import JobRecord, JobStatus
from shared.record_rules import flaw
from shared.transitions import TRANSITIONS, Transition

# Fields that never change.
IDENTITY = ("job_id", "recipe", "created_at", "fingerprint", "traceparent", "owner", "takes", "cancel_at", "webhook")
# Fields that may change after the terminal status: when audio is used or an output is lost, and when the audio expires.
RENEWABLE_FIELDS = frozenset({"updated_at", "seq", "lost"})
EXPIRY_FIELDS = RENEWABLE_FIELDS | {"expired_at", "message"}


def check(before: JobRecord | None, after: JobRecord) -> Transition:
    """The transition from one record to the other.

    Raises:
        TransitionError: if the table has none, or a field breaks a rule.
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
        raise _refusal(before, after, "claims must not fall")
    same_attempt = before.status is after.status is JobStatus.PROCESSING and after.attempts == before.attempts
    if same_attempt and after.worker_id != before.worker_id and not before.awaiting_engine:
        raise _refusal(before, after, "another worker must start another attempt")
    changed = [name for name in IDENTITY if getattr(before, name) != getattr(after, name)]
    if changed:
        raise _refusal(before, after, f"{', '.join(changed)} changed")


def _check_sharing(before: JobRecord | None, after: JobRecord) -> None:
    was_follower, source = (before.is_follower, before.source) if before else (True, None)
    if after.is_follower and (after.status is not JobStatus.QUEUED or not was_follower):
        raise _refusal(before, after, "only a job that was never in the queue can be a follower")
    is_queued = before is not None and before.status is after.status is JobStatus.QUEUED
    stays = is_queued and was_follower == after.is_follower
    if before and stays and not _is_renewal(before, after):
        raise _refusal(before, after, "a queued job is only renewed, or promoted if it is a follower")
    if before and was_follower and after.status is JobStatus.PROCESSING:
        raise _refusal(before, after, "a follower must be promoted before it is claimed")
    answered = before is not None and before.status is JobStatus.QUEUED and after.status is JobStatus.COMPLETED
    if answered and not (was_follower and after.source):
        raise _refusal(before, after, "only a follower can be answered, with the audio of another job")
    if not answered and after.source != source:
        raise _refusal(before, after, "only an answered job has a source, which never changes")


def _is_renewal(before: JobRecord, after: JobRecord) -> bool:
    return before.updated_at != after.updated_at and replace(before, updated_at=after.updated_at) == after


def _check_end(before: JobRecord | None, after: JobRecord) -> None:
    if before is None or not before.status.is_terminal:
        if after.expired_at is not None or after.seq or after.lost:
            raise _refusal(before, after, "only the audio of a finished job is used, expires or is lost")
        return
    changed = {name for name in JobRecord.__struct_fields__ if getattr(before, name) != getattr(after, name)}
    if not before.has_audio or changed - (RENEWABLE_FIELDS if after.expired_at is None else EXPIRY_FIELDS):
        raise _refusal(before, after, f"{', '.join(sorted(changed))} changed after a terminal status")
    if after.lost != before.lost:
        _check_loss(before, after)
    if after.seq == 0 or before.seq not in (0, after.seq):
        raise _refusal(before, after, "seq of the terminal event must not change")


def _check_loss(before: JobRecord, after: JobRecord) -> None:
    if after.source is not None:
        raise _refusal(before, after, "lost files are marked in the record that keeps them")
    if after.lost[:-1] != before.lost or after.lost[-1] in before.lost:
        raise _refusal(before, after, "lost files are marked one at a time and stay marked")
    if after.lost[-1] not in {file.key for file in after.files}:
        raise _refusal(before, after, "the lost file is not one of the job")
    if after.audio is not None and after.lost[-1] == after.audio.key and after.expired_at is None:
        raise _refusal(before, after, "a job whose audio is lost must be expired")


def _refusal(before: JobRecord | None, after: JobRecord, why: str) -> TransitionError:
    status = before.status.value if before else "nothing"
    return TransitionError(
        f"Job {after.job_id} cannot go from {status} to {after.status.value}: {why}. "
        "Nothing was written. This is a bug in the process that tried it: please report it with its log."
    )
