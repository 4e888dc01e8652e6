"""What becomes of a record when somebody stops its job."""

from http import HTTPStatus

from msgspec.structs import replace

from gateway.problems import Problem
from shared.messages import JobRecord, JobStatus, now


def stopped(record: JobRecord, keep: bool) -> JobRecord:
    """The record once the job is cancelled, or told to stop; the same one if it is already.

    Raises:
        Problem: 409 if the job is finished.
    """
    if record.status is JobStatus.CANCELLED:
        return record
    if record.status.is_terminal:
        raise Problem(HTTPStatus.CONFLICT, f"Job {record.job_id} is {record.status} already: nothing to cancel.")
    moment = now()
    if keep and record.status is JobStatus.PROCESSING:
        kept = replace(record, keep_requested=True, message="Stopping; what was made is kept", updated_at=moment)
        return record if record.keep_requested else kept
    return replace(
        record,
        status=JobStatus.CANCELLED,
        message="Job cancelled",
        keep_requested=False,
        follows=False,
        updated_at=moment,
        completed_at=moment,
    )
