"""What becomes of a record when somebody stops its job."""

from http import HTTPStatus

from gateway.problems import Problem
from shared.messages import JobRecord, JobStatus
from shared.transitions import cancelled, stopping


def stopped(record: JobRecord, keep: bool) -> JobRecord:
    """The record once the job is cancelled, or told to stop; the same one if it is already.

    Raises:
        Problem: 409 if the job is finished.
    """
    if record.status is JobStatus.CANCELLED:
        return record
    if record.status.is_terminal:
        raise Problem(HTTPStatus.CONFLICT, f"Job {record.job_id} is {record.status} already: nothing to cancel.")
    if keep and record.status is JobStatus.PROCESSING:
        return record if record.keep_requested else stopping(record)
    return cancelled(record)
