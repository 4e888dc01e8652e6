"""A bound on the memory of all connections together, beside the bound that each one has."""

from typing import Protocol

from gateway import metrics


class BufferOwner(Protocol):
    """An owner of bytes, such as a connection."""

    def evict(self) -> None:
        """Give the bytes up, and the client with them."""


class MemoryBudget:
    """How many bytes each holder keeps. Beyond `limit` bytes in all, the one with the most is cut.

    So a thousand connections that hold what they may do not add up, and one with a short request is not their victim.
    """

    def __init__(self, limit: int) -> None:
        self.total = 0
        self._limit = limit
        self._held: dict[BufferOwner, int] = {}

    def set_usage(self, holder: BufferOwner, size: int) -> None:
        """`holder` now keeps `size` bytes."""
        self.total += size - self._held.pop(holder, 0)
        if size:
            self._held[holder] = size
        while self.total > self._limit:
            largest = max(self._held, key=self._held.__getitem__)
            self.total -= self._held.pop(largest)
            metrics.EVICTED_CONNECTIONS.inc()
            largest.evict()
