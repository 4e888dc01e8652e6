"""The end of a job whose record is damaged."""

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


def failure(job: Job) -> JobRecord:
    """The failure of a job of which only the message is known."""
    # One claim, because an earlier attempt may have stored files.
    return failed(
        JobRecord(
            job_id=job.job_id,
            recipe=job.recipe,
            created_at=job.created_at,
            updated_at=now(),
            claims=1,
            owner=job.owner,
        )
    )
