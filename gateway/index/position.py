"""The order of jobs by age."""

from bisect import bisect_left
from datetime import datetime
from typing import NamedTuple

from shared.messages import JobRecord


class Position(NamedTuple):
    """Sorts jobs by age; `job_id` settles ties."""

    created_at: datetime
    job_id: str


def position_of(record: JobRecord) -> Position:
    return Position(record.created_at, record.job_id)


def remove_position(order: list[Position], position: Position) -> None:
    """Remove a position that is in the list."""
    del order[bisect_left(order, position)]
