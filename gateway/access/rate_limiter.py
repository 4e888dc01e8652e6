"""How many requests an API key may send: a token bucket for each.

A bucket holds `burst` tokens and gets `rate` a second; each request takes one.
"""

import time
from collections.abc import Callable


class RateLimiter:
    """The buckets, by the name of the key.

    Args:
        rate: requests a second that may go on for ever.
        burst: requests that may come at once after a pause.
        clock: monotonic seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Take a token. Returns 0, or, if there is none, the seconds until there will be one."""
        moment = self._clock()
        tokens, filled = self._buckets.get(name, (float(self._burst), moment))
        tokens = min(float(self._burst), tokens + (moment - filled) * self._rate)
        taken = tokens >= 1
        self._buckets[name] = (tokens - taken, moment)
        return 0.0 if taken else (1 - tokens) / self._rate
