"""Which audio has to go: what nobody used for too long, and, where there is too much, what was used the longest ago."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from shared.storage import IN_USE

Reason = Literal["age", "budget"]


class Used(NamedTuple):
    """A finished job: `at` is when its audio was last made or downloaded, `size` that of all its files in bytes."""

    at: datetime
    job_id: str
    size: int = 0


class Expiring(NamedTuple):
    """A job whose audio has to go, and why."""

    job_id: str
    reason: Reason


def expiring(kept: Iterable[Used], now: datetime, max_age: timedelta, max_bytes: int) -> list[Expiring]:
    """What has to go, the least recently used first; never what may be on its way to a client.

    Args:
        kept: all the audio that there is.
        now: by the clock that tells when it was used.
        max_age: since then.
        max_bytes: of all audio together; 0 for no limit.
    """
    oldest_first = sorted(kept)
    total, found = sum(each.size for each in oldest_first), list[Expiring]()
    for each in oldest_first:
        reason = _reason(now - each.at, max_age, total, max_bytes)
        if reason is None or now - each.at <= IN_USE:
            break  # whatever follows was used later
        found.append(Expiring(each.job_id, reason))
        total -= each.size
    return found


def _reason(age: timedelta, max_age: timedelta, total: int, max_bytes: int) -> Reason | None:
    if age > max_age:
        return "age"
    return "budget" if max_bytes and total > max_bytes else None


def surplus(finished: Iterable[Used], now: datetime, excess: int, unused_for: timedelta = IN_USE) -> list[str]:
    """The jobs whose records go so that there are `excess` fewer: the oldest ones, none that may be in use."""
    oldest_first = sorted(finished)[: max(excess, 0)]
    return [each.job_id for each in oldest_first if now - each.at > unused_for]
