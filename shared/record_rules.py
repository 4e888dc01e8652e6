"""Which records are sound, whatever the job's history. Changes are checked by shared/transition_checks.py."""

import re

from shared.messages import JobRecord, JobStatus

# Keys of job files, and their checksums.
_KEY = re.compile(r"jobs/gen_[a-z0-9]{12}/[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
FIRST_YEAR = 2000


def flaw(record: JobRecord) -> str | None:
    """Why no job can have this record, whatever the job's history; None if the record is sound."""
    status, moments = record.status, (record.created_at, record.updated_at, record.started_at, record.completed_at)
    if record.audio is not None and status not in (JobStatus.COMPLETED, JobStatus.CANCELLED):
        return "only a completed or cancelled job may have audio"
    if record.audio is None and status is JobStatus.COMPLETED:
        return "a completed job must have audio"
    if (status is JobStatus.FAILED) != (record.error_message is not None):
        return "a failed job, and no other, must have an error message"
    if record.is_follower and status is not JobStatus.QUEUED:
        return "only a queued job may be a follower"
    for file in record.files:
        if not (_KEY.fullmatch(file.key) and _SHA256.fullmatch(file.sha256)):
            return "a file has an invalid key or checksum"
    if any(moment is not None and moment.year < FIRST_YEAR for moment in moments):
        return f"it has a time before {FIRST_YEAR}"
    return None
