"""Limits per API key: queued jobs, seconds of audio per day, and records.

Usage is counted from the records, of which every gateway has a copy, so a restart loses nothing. Jobs that another
gateway has just accepted are counted by their reservations.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from gateway.access.reservations import SETTLE_TIME, Reservations, Reserved
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.record_table import QUOTA_DAY
from gateway.problems import too_many
from shared.errors import DamagedRecordError
from shared.messages import JobRecord, JobStatus, now

# Retry-After in seconds when the key's queue is full: about the time of one job.
QUEUE_RETRY_AFTER = 10
# Retry-After in seconds when the key has too many records: the oldest are removed by then.
RECORDS_RETRY_AFTER = 60
# Jobs of one key that may be admitted within SETTLE_TIME. Their reservations share one NATS message, 30 bytes a job.
MAX_RESERVED = 10_000


class Limits(NamedTuple):
    """The limits of one key: queued jobs, requested seconds of audio in 24 hours, and records."""

    queued_jobs: int
    daily_seconds: float
    records: int


class Quotas:
    """Checks new jobs against the limits of their key."""

    def __init__(self, index: JobIndex, record_store: RecordStore, reservations: Reservations, limits: Limits) -> None:
        self._index = index
        self._record_store = record_store
        self._reservations = reservations
        self._limits = limits

    async def check_record_limit(self, record: JobRecord, jobs: int = 1) -> None:
        """Refuse new jobs that exceed their key's limit of records. A retry with the same Idempotency-Key passes.

        Args:
            record: the first of the jobs.
            jobs: how many there are.

        Raises:
            Problem: 429 if the limit is reached.
            UnavailableError: while NATS is away.
        """
        owner, limit = record.owner, self._limits.records
        present = self._index.count(None, owner)
        if owner is None or present + jobs <= limit or await self._is_known(record.job_id):
            return
        raise too_many(
            f"This API key has {present} of at most {limit} jobs on record. The oldest finished jobs are removed: "
            "cached results after a minute, others after a day. Try again later.",
            RECORDS_RETRY_AFTER,
        )

    @asynccontextmanager
    async def reserved_place(self, record: JobRecord) -> AsyncIterator[None]:
        """Reserve a place for the job on all gateways while the block creates it. A retry takes no second place.

        Raises:
            Problem: 429 if a limit is reached.
            UnavailableError: while NATS is away.
        """
        owner, job_id, seconds = record.owner, record.job_id, record.recipe.duration
        if owner is None or job_id in self._index:
            yield
            return

        def check(reserved: Reserved) -> None:
            if len(reserved) >= MAX_RESERVED:
                raise too_many("This API key submits too many jobs at once. Try again in half a minute.", SETTLE_TIME)
            unseen = [charged for job_id, charged in reserved.items() if job_id not in self._index]
            self._check_queue(owner, len(unseen))
            self._check_day(owner, seconds, unseen)

        is_new = await self._reservations.add(owner, job_id, seconds, check)
        try:
            yield
        except BaseException:
            if is_new:
                await self._reservations.remove(owner, job_id)
            raise

    async def _is_known(self, job_id: str) -> bool:
        try:
            return job_id in self._index or await self._record_store.fetch(job_id) is not None
        except DamagedRecordError:
            return True

    def _check_queue(self, owner: str, unseen: int) -> None:
        limit = self._limits.queued_jobs
        if self._index.count(JobStatus.QUEUED, owner) + unseen >= limit:
            raise too_many(
                f"This API key may have {limit} jobs in the queue. Wait until one starts, or cancel one.",
                QUEUE_RETRY_AFTER,
            )

    def _check_day(self, owner: str, seconds: float, unseen: Iterable[float]) -> None:
        moment, limit = now(), self._limits.daily_seconds
        spent = self._index.charges(owner, since=moment - QUOTA_DAY)
        spent += [(moment, each) for each in unseen]
        excess = sum(charged for _, charged in spent) + seconds - limit
        if excess > 0:
            free = _free_again(spent, excess)
            raise too_many(
                f"This API key may request {limit:g} seconds of audio in 24 hours, and {seconds:g} more "
                "exceed that. Try again later, or request less.",
                (free + QUOTA_DAY - moment).total_seconds() if free else QUOTA_DAY.total_seconds(),
            )


def _free_again(spent: Iterable[tuple[datetime, float]], excess: float) -> datetime | None:
    """The creation time of the job that, once older than a day, ends the excess; None if no job does."""
    for created_at, charged in spent:
        excess -= charged
        if excess <= 0:
            return created_at
    return None
