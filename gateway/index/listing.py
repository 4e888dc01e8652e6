"""Jobs in the order of their age."""

from bisect import bisect_left, insort
from collections import Counter
from datetime import datetime
from typing import NamedTuple

from shared.messages import JobRecord, JobStatus


class Position(NamedTuple):
    """Sorts jobs by age; `job_id` settles ties."""

    created_at: datetime
    job_id: str


class Listing:
    """Some jobs.

    Attributes:
        order: the oldest first.
        counts: how many of them are in each status.
    """

    def __init__(self) -> None:
        self.order: list[Position] = []
        self.counts: Counter[JobStatus] = Counter()

    def add(self, record: JobRecord) -> None:
        """Take in a record that is not there."""
        insort(self.order, position_of(record))
        self.counts[record.status] += 1

    def remove(self, record: JobRecord) -> None:
        """Forget a record as it was added."""
        remove_position(self.order, position_of(record))
        self.counts[record.status] -= 1


def position_of(record: JobRecord) -> Position:
    return Position(record.created_at, record.job_id)


def remove_position(order: list[Position], position: Position) -> None:
    """Take out one that is there."""
    del order[bisect_left(order, position)]
