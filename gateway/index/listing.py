"""Jobs in order of age."""

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
    """A set of jobs.

    Attributes:
        order: their positions, oldest first.
        counts: the number of jobs per status.
    """

    def __init__(self) -> None:
        self.order: list[Position] = []
        self.counts: Counter[JobStatus] = Counter()

    def add(self, record: JobRecord) -> None:
        """Add a job that is not in the listing."""
        insort(self.order, position_of(record))
        self.counts[record.status] += 1

    def remove(self, record: JobRecord) -> None:
        """Remove a job; `record` is equal to the one that was added."""
        remove_position(self.order, position_of(record))
        self.counts[record.status] -= 1


def position_of(record: JobRecord) -> Position:
    return Position(record.created_at, record.job_id)


def remove_position(order: list[Position], position: Position) -> None:
    """Remove a position that is in the list."""
    del order[bisect_left(order, position)]
