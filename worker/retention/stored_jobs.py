"""What the store holds, job by job."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

from shared.files import ALL_JOBS_PREFIX, job_prefix
from shared.job_id import is_job_id
from shared.storage import Storage


class StoredJob(NamedTuple):
    """A job that has objects in the store; `stored_at` is the time of the newest one."""

    job_id: str
    stored_at: datetime


async def stored_jobs(storage: Storage) -> AsyncIterator[StoredJob]:
    """Every job that has objects, in the order of their ids, with a thousand objects in memory at a time.

    Raises:
        UnavailableError: while S3 is away.
    """
    job: StoredJob | None = None
    after = ""
    while page := await storage.page(after):
        for item in page:
            job_id = _job_of(item.key)
            if job is not None and job.job_id == job_id:
                job = StoredJob(job_id, max(job.stored_at, item.stored_at))
            else:
                if job is not None:
                    yield job
                job = StoredJob(job_id, item.stored_at) if job_id else None
        after = page[-1].key
    if job is not None:
        yield job


def _job_of(key: str) -> str:
    """Whose the object is; nobody's, if we would not have named it so: such objects are left alone."""
    job_id = key.removeprefix(ALL_JOBS_PREFIX).partition("/")[0]
    return job_id if is_job_id(job_id) and key.startswith(job_prefix(job_id)) else ""
