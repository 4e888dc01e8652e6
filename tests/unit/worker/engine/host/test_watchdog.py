"""When the engine is taken to hang, and because of which jobs."""

import asyncio
import time

import numpy as np
import pytest

from worker.engine.host.generation import Generation
from worker.engine.host.watchdog import until_hung
from worker.engine.protocol import Chunk, StemChunk

PATIENCE = 0.4
PIECE = np.zeros(4, "<f4").tobytes()


async def watch(*running: Generation, patience: float = PATIENCE) -> list[Generation]:
    async with asyncio.timeout(20):
        return await until_hung(lambda: running, patience)


def step(generation: Generation) -> None:
    generation.done += 1


def chunk(generation: Generation) -> None:
    generation.add(Chunk("gen_1", PIECE, 1))


def stem(generation: Generation) -> None:
    generation.add_to_stem(StemChunk("gen_1", "bass", PIECE, 1))


async def keep_moving(generation: Generation) -> None:
    while True:
        await asyncio.sleep(PATIENCE / 20)
        step(generation)


async def test_a_job_of_which_nothing_comes_is_what_the_engine_hangs_on() -> None:
    silent = Generation()
    assert await watch(silent) == [silent]


async def test_an_empty_engine_never_hangs() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3 * PATIENCE):
            await watch()


@pytest.mark.parametrize("sign", [step, chunk, stem])
async def test_whatever_comes_of_a_job_shows_that_it_moves(sign: object) -> None:
    assert callable(sign)
    generation = Generation()
    before = generation.extent
    sign(generation)
    assert generation.extent != before


async def test_only_the_job_that_stands_still_is_to_blame() -> None:
    silent, moving = Generation(), Generation()
    work = asyncio.create_task(keep_moving(moving))
    assert await watch(silent, moving) == [silent]
    work.cancel()


async def test_all_that_stood_still_at_once_may_be_to_blame_and_a_late_comer_is_not() -> None:
    running = [Generation(), Generation()]

    async def come_late() -> None:
        await asyncio.sleep(0.8 * PATIENCE)
        running.append(Generation())

    late = asyncio.create_task(come_late())
    async with asyncio.timeout(20):
        assert await until_hung(lambda: running, PATIENCE) == running[:2]
    await late


async def test_a_worker_that_was_frozen_itself_does_not_think_that_the_engine_was() -> None:
    moving = Generation()
    work = asyncio.create_task(keep_moving(moving))
    watching = asyncio.create_task(watch(moving))
    await asyncio.sleep(PATIENCE / 4)
    time.sleep(2 * PATIENCE)
    await asyncio.sleep(PATIENCE / 4)
    assert not watching.done()
    watching.cancel()
    work.cancel()
