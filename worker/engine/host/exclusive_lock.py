"""Who may be in the engine at the same time: any number together, or one alone."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class _Waiter(NamedTuple):
    alone: bool
    admitted: asyncio.Future[None]


class Gate:
    """Lets in in the order of arrival, so that neither kind of guest waits for ever."""

    def __init__(self) -> None:
        self._inside = 0
        self._closed = False
        self._waiting: deque[_Waiter] = deque()

    @asynccontextmanager
    async def enter(self, *, alone: bool) -> AsyncIterator[None]:
        """Be inside during the block; `alone` waits until everybody else has left, and keeps later ones out."""
        await self._wait(_Waiter(alone, asyncio.get_running_loop().create_future()))
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, waiter: _Waiter) -> None:
        self._waiting.append(waiter)
        self._admit()
        try:
            await waiter.admitted
        except asyncio.CancelledError:
            if waiter.admitted.cancelled():
                self._admit()  # those behind it may have waited for this one only
            else:
                self._leave()  # let in and cancelled at the same moment
            raise

    def _leave(self) -> None:
        self._inside -= 1
        self._closed = False
        self._admit()

    def _admit(self) -> None:
        while self._waiting and not self._closed:
            alone, admitted = self._waiting[0]
            if alone and self._inside and not admitted.cancelled():
                return
            self._waiting.popleft()
            if not admitted.cancelled():
                self._inside += 1
                self._closed = alone
                admitted.set_result(None)
