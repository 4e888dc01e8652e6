"""How much an API key may ask for: jobs in the queue, seconds of audio a day, and records.

All are counted from the records, which every gateway has in memory: a restart forgets nothing. What another gateway
accepted a moment ago is counted from its reservation.
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

# Seconds after which a client whose queue is full may try again: a job takes about so long.
QUEUE_RETRY = 10
# Seconds after which a client with too many records may try again: within them the oldest ones are removed.
RECORDS_RETRY = 60
# Jobs of one key that may be admitted in half a minute. Their reservations are one message on NATS, 30 bytes a job.
MAX_RESERVED = 10_000


class Limits(NamedTuple):
    """What one key may have: jobs that wait at a time, seconds of audio asked for in 24 hours, jobs on record."""

    queued_jobs: int
    daily_seconds: float
    records: int


class Quotas:
    """What is left for each key."""

    def __init__(self, index: JobIndex, record_store: RecordStore, reservations: Reservations, limits: Limits) -> None:
        self._index = index
        self._record_store = record_store
        self._reservations = reservations
        self._limits = limits

    async def check_records(self, record: JobRecord) -> None:
        """Refuse a new job if its key has as many on record as it may. A repeated request is no new job.

        Raises:
            Problem: 429 if there is no room for it.
            UnavailableError: while NATS is away.
        """
        owner, limit = record.owner, self._limits.records
        if owner is None or self._index.count(None, owner) < limit or await self._is_known(record.job_id):
            return
        raise too_many(
            f"This API key has {limit} jobs on record, as many as it may. Its oldest finished ones make room: answers "
            "from the cache after a minute, others after a day. Try again later.",
            RECORDS_RETRY,
        )

    @asynccontextmanager
    async def admitted(self, record: JobRecord) -> AsyncIterator[None]:
        """While the block makes a job of `record`, it counts as one, for all gateways. A repeated request counts once.

        Raises:
            Problem: 429 if there is no room for it.
            UnavailableError: while NATS is away.
        """
        owner, job_id, seconds = record.owner, record.job_id, record.recipe.duration
        if owner is None or job_id in self._index:
            yield
            return

        def check(reserved: Reserved) -> None:
            if len(reserved) >= MAX_RESERVED:
                raise too_many("This API key asks for too many jobs at once. Try again in half a minute.", SETTLE_TIME)
            unseen = [reserved[key] for key in reserved if key not in self._index]
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
                f"This API key may have {limit} jobs in the queue. Wait until one has begun or cancel one.", QUEUE_RETRY
            )

    def _check_day(self, owner: str, seconds: float, unseen: Iterable[float]) -> None:
        moment, limit = now(), self._limits.daily_seconds
        spent = [
            (summary.created_at, summary.charged) for summary in self._index.created_since(moment - QUOTA_DAY, owner)
        ]
        spent += [(moment, each) for each in unseen]
        excess = sum(charged for _, charged in spent) + seconds - limit
        if excess > 0:
            free = _free_again(spent, excess)
            raise too_many(
                f"This API key may ask for {limit:g} seconds of audio in 24 hours, and {seconds:g} more "
                "are too many now. Come back later, or ask for less.",
                (free + QUOTA_DAY - moment).total_seconds() if free else QUOTA_DAY.total_seconds(),
            )


def _free_again(spent: Iterable[tuple[datetime, float]], excess: float) -> datetime | None:
    """When the job was made whose age makes the excess vanish; None if none does."""
    for created_at, charged in spent:
        excess -= charged
        if excess <= 0:
            return created_at
    return None
