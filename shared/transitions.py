"""The life of a job as a table: every change of a record that is allowed, and nothing else is written.

The compare-and-set on the record's revision says who may write; this says what. docs/reliability.md has the diagram.
"""

from typing import NamedTuple

from shared.errors import TransitionError
from shared.messages import JobRecord, JobStatus


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
    Transition("claim", _QUEUED, _PROCESSING, "any worker", (1,)),
    Transition("give up", _QUEUED, JobStatus.FAILED, "any worker, gateway"),
    Transition("cancel", _QUEUED, JobStatus.CANCELLED, "gateway"),
    Transition("report, keep", _PROCESSING, _PROCESSING, "its worker, gateway"),
    Transition("take over", _PROCESSING, _PROCESSING, "any worker", (1,)),
    # A stop of the worker takes the attempt back; `claims` goes on rising.
    Transition("hand back", _PROCESSING, _QUEUED, "its worker", (0, -1)),
    Transition("complete", _PROCESSING, JobStatus.COMPLETED, "its worker"),
    Transition("fail", _PROCESSING, JobStatus.FAILED, "any worker"),
    Transition("cancel, kept", _PROCESSING, JobStatus.CANCELLED, "gateway, any worker"),
)

# What a job is never changes.
IDENTITY = ("job_id", "recipe", "created_at", "fingerprint", "traceparent", "owner")


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
            return transition
    raise _refusal(before, after, f"attempts changed by {change}")


def _check_fields(before: JobRecord | None, after: JobRecord) -> None:
    if after.audio is not None and after.status not in (JobStatus.COMPLETED, JobStatus.CANCELLED):
        raise _refusal(before, after, "only a job that has ended well, or was stopped, has audio")
    if after.audio is None and after.status is JobStatus.COMPLETED:
        raise _refusal(before, after, "a completed job has audio")
    if (after.status is JobStatus.FAILED) != (after.error_message is not None):
        raise _refusal(before, after, "a job that failed, and no other, has a reason")
    if before is None:
        return
    if after.claims < before.claims:
        raise _refusal(before, after, "claims never fall")
    same_attempt = before.status is after.status is _PROCESSING and after.attempts == before.attempts
    if same_attempt and after.worker_id != before.worker_id:
        raise _refusal(before, after, "another worker begins another attempt")
    changed = [name for name in IDENTITY if getattr(before, name) != getattr(after, name)]
    if changed:
        raise _refusal(before, after, f"{', '.join(changed)} changed")


def _refusal(before: JobRecord | None, after: JobRecord, why: str) -> TransitionError:
    status = before.status.value if before else "nothing"
    return TransitionError(
        f"Job {after.job_id} cannot go from {status} to {after.status.value}: {why}. "
        "Nothing was written; this is a mistake in the program that tried, please report it with its log."
    )
