"""What a job takes from the seconds of audio that its API key may ask for in a day."""

from datetime import timedelta

from shared.messages import JobRecord, JobStatus

# Charges count against an API key's daily quota for this long.
QUOTA_DAY = timedelta(days=1)


def charged_seconds(record: JobRecord) -> float:
    """All that the job asked for, or nothing.

    One that was cancelled before it began made nothing, and neither did one that was answered from the cache.
    One that failed is not its owner's fault.
    """
    return record.recipe.duration if _counts(record) else 0.0


def _counts(record: JobRecord) -> bool:
    if record.source is not None:
        return False
    if record.status is JobStatus.CANCELLED:
        return record.attempts > 0
    return record.status is not JobStatus.FAILED
