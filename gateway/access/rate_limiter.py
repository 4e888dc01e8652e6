"""Rate limits: a token bucket per API key.

A bucket holds up to `burst` tokens and gains `rate` per second. Each request takes one.
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

    def take(self, name: str) -> float:
        """Take a token and return 0. If there is none, return the seconds until the next one."""
        moment = self._clock()
        tokens, filled = self._buckets.get(name, (float(self._burst), moment))
        tokens = min(float(self._burst), tokens + (moment - filled) * self._rate)
        taken = tokens >= 1
        self._buckets[name] = (tokens - taken, moment)
        return 0.0 if taken else (1 - tokens) / self._rate
