"""The engine's slots: a job takes one when it is fetched, and again each time that it is generated again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class SlotCount:
    """Counts the slots that are taken.

    Args:
        total: returns how many there are.
        on_change: called whenever `taken` changed.

    Attributes:
        taken: how many are in use.
        users: jobs that have one, or may need one again.
    """

    def __init__(self, total: Callable[[], int], on_change: Callable[[], None]) -> None:
        self._total = total
        self._on_change = on_change
        self._waiting = 0
        self._freed = asyncio.Event()
        self.taken = 0
        self.users = 0

    @property
    def has_free(self) -> bool:
        """Whether a new job may have one. Jobs that wait for a slot get it first."""
        return self.taken + self._waiting < self._total()

    def take(self) -> "Slot":
        """A slot for a new job, taken at once."""
        self.users += 1
        self.change(1)
        return Slot(self, is_taken=True)

    async def wait(self) -> None:
        """Take a slot as soon as one is free."""
        self._waiting += 1
        try:
            while self.taken >= self._total():
                self._freed.clear()
                await self._freed.wait()
        finally:
            self._waiting -= 1
        self.change(1)

    def change(self, by: int) -> None:
        """Count slots that were taken or, if negative, released."""
        self.taken += by
        if by < 0:
            self._freed.set()
        self._on_change()

    def left(self) -> None:
        """Count a job that needs none any more."""
        self.users -= 1
        self._on_change()


class Slot:
    """The slot of one job.

    Args:
        slots: that it is one of.
        is_taken: whether the job has it already.

    Attributes:
        is_awaited: whether the job waits for it.
    """

    def __init__(self, slots: SlotCount, *, is_taken: bool) -> None:
        self._slots = slots
        self._is_taken = is_taken
        self._is_used = is_taken
        self.is_awaited = False

    def release(self) -> None:
        """Let another job have it; if it is released already, nothing happens."""
        if self._is_taken:
            self._is_taken = False
            self._slots.change(-1)

    def leave(self) -> None:
        """Release it for good: the job does not need the engine again."""
        self.release()
        if self._is_used:
            self._is_used = False
            self._slots.left()

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Have the slot during the block, after waiting for a free one if it was released before."""
        if not self._is_taken:
            await self._wait()
        try:
            yield
        finally:
            self.release()

    async def _wait(self) -> None:
        self.is_awaited = True
        try:
            await self._slots.wait()
        finally:
            self.is_awaited = False
        self._is_taken = True
