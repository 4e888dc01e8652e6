"""The shared/exclusive lock: who holds it, and in which order."""

import asyncio
import random

import pytest

from shared.lifecycle import end
from worker.engine.host.exclusive_lock import ExclusiveLock


class Holders:
    """Tasks by name that hold the lock until they are cancelled. Capital letters hold it exclusively."""

    def __init__(self) -> None:
        self.lock = ExclusiveLock()
        self.holding: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, names: str) -> None:
        for name in names:
            self._tasks[name] = asyncio.create_task(self._hold(name))
            await settle()

    async def cancel(self, names: str) -> None:
        for name in names:
            self._tasks[name].cancel()
            await settle()

    async def cancel_all(self) -> None:
        await end(self._tasks.values())

    async def _hold(self, name: str) -> None:
        async with self.lock.hold(exclusive=name.isupper()):
            self.holding.add(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.holding.remove(name)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("started", "cancelled", "holding"),
    [
        ("abc", "", "abc"),
        ("A", "", "A"),
        ("AB", "", "A"),
        ("AB", "A", "B"),
        ("abC", "", "ab"),
        ("abC", "a", "b"),
        ("abC", "ab", "C"),
        # Later ones wait behind an exclusive waiter …
        ("aBc", "", "a"),
        ("aBcd", "a", "B"),
        ("aBcd", "aB", "cd"),
        ("aBCd", "aB", "C"),
        ("aBcD", "aB", "c"),
        # … unless it is cancelled.
        ("aBcd", "B", "acd"),
        ("aBCd", "B", "a"),
        ("aBCd", "BC", "ad"),
        ("Abcd", "cA", "bd"),
    ],
)
async def test_the_lock_is_granted_in_order_of_arrival(started: str, cancelled: str, holding: str) -> None:
    holders = Holders()
    await holders.start(started)
    await holders.cancel(cancelled)
    assert holders.holding == set(holding)
    await holders.cancel_all()
    await holders.start("X")
    assert holders.holding == {"X"}
    await holders.cancel_all()


@pytest.mark.parametrize("exclusive", [True, False])
async def test_a_cancel_at_the_moment_of_the_grant_leaves_the_lock_free(exclusive: bool) -> None:
    lock = ExclusiveLock()

    async def hold() -> None:
        async with lock.hold(exclusive=exclusive):
            await asyncio.Event().wait()

    async with lock.hold(exclusive=True):
        waiting = asyncio.create_task(hold())
        await settle()
    # The lock is granted, and the task has not run since.
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), lock.hold(exclusive=True):
        pass


@pytest.mark.parametrize("seed", range(20))
async def test_exclusive_holders_are_alone_and_every_waiter_gets_the_lock(seed: int) -> None:
    source, lock = random.Random(seed), ExclusiveLock()
    holders, exclusive_holders, grants = 0, 0, 0

    async def hold(exclusive: bool) -> None:
        nonlocal holders, exclusive_holders, grants
        for _ in range(source.randrange(5)):
            await asyncio.sleep(0)
        async with lock.hold(exclusive=exclusive):
            holders, exclusive_holders = holders + 1, exclusive_holders + exclusive
            try:
                for _ in range(source.randrange(5)):
                    assert exclusive_holders == 0 or holders == 1
                    await asyncio.sleep(0)
                grants += 1
            finally:
                holders, exclusive_holders = holders - 1, exclusive_holders - exclusive

    tasks = [asyncio.create_task(hold(source.random() < 0.3)) for _ in range(50)]
    cancelled = [asyncio.create_task(hold(source.random() < 0.3)) for _ in range(20)]
    for task in cancelled:
        await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)
        results = await asyncio.gather(*cancelled, return_exceptions=True)
    assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
    assert grants >= 50
