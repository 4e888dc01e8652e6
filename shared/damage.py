"""The end of a job whose record is damaged: what can be told of it, and to whom."""

import re

from msgspec.structs import replace

from shared.messages import Job, JobRecord, JobStatus, now

REASON = "The record of this job was damaged, and the job cannot go on. Send it again."


def failed(record: JobRecord) -> JobRecord:
    """The failure of a job of which this state was known."""
    moment = now()
    return replace(
        record,
        status=JobStatus.FAILED,
        follows=False,
        suspect=False,
        waits=False,
        source=None,
        audio=None,
        outputs=(),
        message="Generation failed",
        error_message=REASON,
        updated_at=moment,
        completed_at=moment,
    )


def failure(job: Job, data: bytes) -> JobRecord:
    """The failure of a job of which only the message is known, and what is stored in the place of its record."""
    moment = now()
    # One claim, because an earlier attempt may have stored files.
    known = JobRecord(job_id=job.job_id, recipe=job.recipe, created_at=job.created_at, updated_at=moment, claims=1)
    return failed(replace(known, owner=job.owner or _owner(job.job_id, data)))


def _owner(job_id: str, data: bytes) -> str | None:
    """The name of the key whose job it is, if the remains are of this job; otherwise only an open gateway shows it."""
    own = re.search(rb'"job_id":\s*"([^"]*)"', data)
    owner = re.search(rb'"owner":\s*"([A-Za-z0-9_-]{1,32})"', data)
    return owner.group(1).decode() if own and owner and own.group(1).decode(errors="replace") == job_id else None
