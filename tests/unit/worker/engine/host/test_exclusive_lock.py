"""Together or alone in the engine, in the order of arrival."""

import asyncio
import random

import pytest

from shared.lifecycle import end
from worker.engine.host.exclusive_lock import Gate


class Guests:
    """Go in by a name, and stay until they are told to leave. Capital letters want to be alone."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.inside: set[str] = set()
        self._leave = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def arrive(self, names: str) -> None:
        for name in names:
            self._tasks[name] = asyncio.create_task(self._visit(name))
            await settle()

    async def leave(self, names: str) -> None:
        for name in names:
            self._tasks[name].cancel()
            await settle()

    async def everybody_leaves(self) -> None:
        await end(self._tasks.values())

    async def _visit(self, name: str) -> None:
        async with self.gate.enter(alone=name.isupper()):
            self.inside.add(name)
            try:
                await self._leave.wait()
            finally:
                self.inside.remove(name)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("arriving", "leaving", "inside"),
    [
        ("abc", "", "abc"),
        ("A", "", "A"),
        ("AB", "", "A"),
        ("AB", "A", "B"),
        ("abC", "", "ab"),
        ("abC", "a", "b"),
        ("abC", "ab", "C"),
        # Whoever comes later waits behind the one who waits to be alone …
        ("aBc", "", "a"),
        ("aBcd", "a", "B"),
        ("aBcd", "aB", "cd"),
        ("aBCd", "aB", "C"),
        ("aBcD", "aB", "c"),
        # … unless that one gives up.
        ("aBcd", "B", "acd"),
        ("aBCd", "B", "a"),
        ("aBCd", "BC", "ad"),
        ("Abcd", "cA", "bd"),
    ],
)
async def test_who_is_inside(arriving: str, leaving: str, inside: str) -> None:
    guests = Guests()
    await guests.arrive(arriving)
    await guests.leave(leaving)
    assert guests.inside == set(inside)
    await guests.everybody_leaves()
    await guests.arrive("X")
    assert guests.inside == {"X"}
    await guests.everybody_leaves()


@pytest.mark.parametrize("alone", [True, False])
async def test_a_cancel_at_the_moment_of_being_let_in_leaves_the_gate_free(alone: bool) -> None:
    gate = Gate()

    async def visit() -> None:
        async with gate.enter(alone=alone):
            await asyncio.Event().wait()

    async with gate.enter(alone=True):
        waiting = asyncio.create_task(visit())
        await settle()
    # It has been let in, and has not run since.
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), gate.enter(alone=True):
        pass


@pytest.mark.parametrize("seed", range(20))
async def test_nobody_is_disturbed_and_everybody_gets_in(seed: int) -> None:
    source, gate = random.Random(seed), Gate()
    together, solitary, visits = 0, 0, 0

    async def visit(alone: bool) -> None:
        nonlocal together, solitary, visits
        for _ in range(source.randrange(5)):
            await asyncio.sleep(0)
        async with gate.enter(alone=alone):
            together, solitary = together + 1, solitary + alone
            try:
                for _ in range(source.randrange(5)):
                    assert solitary == 0 or together == 1
                    await asyncio.sleep(0)
                visits += 1
            finally:
                together, solitary = together - 1, solitary - alone

    tasks = [asyncio.create_task(visit(source.random() < 0.3)) for _ in range(50)]
    impatient = [asyncio.create_task(visit(source.random() < 0.3)) for _ in range(20)]
    for task in impatient:
        await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)
        results = await asyncio.gather(*impatient, return_exceptions=True)
    assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
    assert visits >= 50
