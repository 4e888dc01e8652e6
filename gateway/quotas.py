"""How much an API key may ask for: jobs in the queue, and seconds of audio a day.

Both are counted from the records, which every gateway has in memory: a restart forgets nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from gateway.job_index import JobIndex
from gateway.problems import too_many
from gateway.shelf import Card, card_of
from shared.messages import JobRecord, JobStatus, now
from shared.records import Entry

DAY = timedelta(days=1)
# Seconds after which a client whose queue is full may try again: a job takes about so long.
QUEUE_RETRY = 10


class Quotas:
    """What is left for each key.

    Args:
        index: every record.
        queued_jobs: how many jobs of one key may wait at a time.
        daily_seconds: of audio that one key may ask for in 24 hours.
    """

    def __init__(self, index: JobIndex, queued_jobs: int, daily_seconds: float) -> None:
        self._index = index
        self._queued_jobs = queued_jobs
        self._daily_seconds = daily_seconds
        self._accepting: dict[str, JobRecord] = {}

    @contextmanager
    def admitted(self, record: JobRecord) -> Iterator[None]:
        """While the block makes a job of `record`, it counts as one. A repeated request counts once.

        Raises:
            Problem: 429 if there is no room for it.
        """
        if record.owner is None or self._index.get(record.job_id) or record.job_id in self._accepting:
            yield
            return
        self._check_queue(record.owner)
        self._check_day(record.owner, record.recipe.duration)
        self._accepting[record.job_id] = record
        try:
            yield
        finally:
            del self._accepting[record.job_id]

    def _check_queue(self, owner: str) -> None:
        if self._index.count(JobStatus.QUEUED, owner) + len(self._unseen(owner)) >= self._queued_jobs:
            raise too_many(
                f"This API key may have {self._queued_jobs} jobs in the queue. Wait until one has begun or cancel one.",
                QUEUE_RETRY,
            )

    def _check_day(self, owner: str, seconds: float) -> None:
        moment = now()
        spent = self._index.since(moment - DAY, owner) + [card_of(Entry(each, 0)) for each in self._unseen(owner)]
        excess = sum(card.charged for card in spent) + seconds - self._daily_seconds
        if excess > 0:
            free = _free_again(spent, excess)
            raise too_many(
                f"This API key may ask for {self._daily_seconds:g} seconds of audio in 24 hours, and {seconds:g} more "
                "are too many now. Come back later, or ask for less.",
                (free + DAY - moment).total_seconds() if free else DAY.total_seconds(),
            )

    def _unseen(self, owner: str) -> list[JobRecord]:
        """What is just being accepted, and not among the records yet."""
        return [
            record
            for record in self._accepting.values()
            if record.owner == owner and self._index.get(record.job_id) is None
        ]


def _free_again(spent: list[Card], excess: float) -> datetime | None:
    """When the job was made whose age makes the excess vanish; None if none does."""
    for card in spent:
        excess -= card.charged
        if excess <= 0:
            return card.created_at
    return None
