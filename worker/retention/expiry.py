"""Selects the audio and the records to remove: by age, and the least recently used ones above a limit."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from shared.storage import IN_USE

Reason = Literal["age", "budget"]


class LastUse(NamedTuple):
    """A finished job: `at` is when its audio was last made or downloaded, `size` that of all its files in bytes."""

    at: datetime
    job_id: str
    size: int = 0


class Expiry(NamedTuple):
    """A job whose audio must be removed, and why."""

    job_id: str
    reason: Reason


def select_expired(stored: Iterable[LastUse], now: datetime, max_age: timedelta, max_bytes: int) -> list[Expiry]:
    """The jobs whose audio must be removed, least recently used first; never audio that a client may be downloading.

    Args:
        stored: all jobs that keep audio.
        now: by the clock that recorded the last uses.
        max_age: since the last use.
        max_bytes: of all audio together; 0 for no limit.
    """
    oldest_first = sorted(stored)
    total, found = sum(each.size for each in oldest_first), list[Expiry]()
    for each in oldest_first:
        reason = _reason(now - each.at, max_age, total, max_bytes)
        if reason is None or now - each.at <= IN_USE:
            break  # all others were used later
        found.append(Expiry(each.job_id, reason))
        total -= each.size
    return found


def _reason(age: timedelta, max_age: timedelta, total: int, max_bytes: int) -> Reason | None:
    if age > max_age:
        return "age"
    return "budget" if max_bytes and total > max_bytes else None


def select_excess(finished: Iterable[LastUse], now: datetime, excess: int, unused_for: timedelta = IN_USE) -> list[str]:
    """The `excess` least recently used jobs, without those that were used within `unused_for`."""
    oldest_first = sorted(finished)[: max(excess, 0)]
    return [each.job_id for each in oldest_first if now - each.at > unused_for]
