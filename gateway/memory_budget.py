"""One memory limit for all connections together. Each connection also has its own limit."""

from typing import Protocol

from gateway import metrics


class BufferOwner(Protocol):
    """An object that buffers bytes for one client, such as a connection."""

    def evict(self) -> None:
        """Free the buffer by disconnecting the client."""


class MemoryBudget:
    """The bytes that each owner buffers. If the total exceeds `limit`, the largest owner is evicted.

    Each connection may stay within its own limit while a thousand of them exhaust the memory. Evicting the largest
    one frees the most and spares clients with small requests.
    """

    def __init__(self, limit: int) -> None:
        self.total = 0
        self._limit = limit
        self._usage: dict[BufferOwner, int] = {}

    def set_usage(self, owner: BufferOwner, size: int) -> None:
        """Record that `owner` now buffers `size` bytes, then evict owners until the total fits."""
        self.total += size - self._usage.pop(owner, 0)
        if size:
            self._usage[owner] = size
        while self.total > self._limit:
            largest = max(self._usage, key=self._usage.__getitem__)
            self.total -= self._usage.pop(largest)
            metrics.EVICTED_CONNECTIONS.inc()
            largest.evict()
