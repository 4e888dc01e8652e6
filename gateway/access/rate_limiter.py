"""Rate limits: a token bucket per API key.

A bucket holds up to `burst` tokens and gains `rate` per second. Each request takes one, and each job after the first
of a request one more.
"""

import time
from collections.abc import Callable


class RateLimiter:
    """The token buckets, by the name of the key.

    Args:
        rate: sustained requests per second.
        burst: requests at once after an idle period.
        clock: monotonic seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, count: int = 1) -> float:
        """Take tokens and return 0. If there are too few, take none and return the seconds until there are enough.

        Args:
            name: of the key.
            count: how many tokens, at most the burst.
        """
        moment = self._clock()
        tokens, filled = self._buckets.get(name, (float(self._burst), moment))
        tokens = min(float(self._burst), tokens + (moment - filled) * self._rate)
        taken = count if tokens >= count else 0
        self._buckets[name] = (tokens - taken, moment)
        return 0.0 if taken == count else (count - tokens) / self._rate
