"""A lock that any number of holders may share, or that one holds exclusively."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class _Waiter(NamedTuple):
    exclusive: bool
    granted: asyncio.Future[None]


class ExclusiveLock:
    """A shared/exclusive lock, granted in the order of arrival, so that neither kind of waiter starves."""

    def __init__(self) -> None:
        self._holders = 0
        self._is_exclusive = False
        self._waiting: deque[_Waiter] = deque()

    @asynccontextmanager
    async def hold(self, *, exclusive: bool) -> AsyncIterator[None]:
        """Hold the lock during the block. An exclusive waiter blocks all later ones until it has held the lock."""
        await self._acquire(_Waiter(exclusive, asyncio.get_running_loop().create_future()))
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, waiter: _Waiter) -> None:
        self._waiting.append(waiter)
        self._grant()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.cancelled():
                self._grant()  # later waiters may have waited for this one only
            else:
                self._release()  # granted and cancelled at the same moment
            raise

    def _release(self) -> None:
        self._holders -= 1
        self._is_exclusive = False
        self._grant()

    def _grant(self) -> None:
        while self._waiting and not self._is_exclusive:
            exclusive, granted = self._waiting[0]
            if exclusive and self._holders and not granted.cancelled():
                return
            self._waiting.popleft()
            if not granted.cancelled():
                self._holders += 1
                self._is_exclusive = exclusive
                granted.set_result(None)
