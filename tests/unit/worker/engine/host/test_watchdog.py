"""When the engine counts as hung, and which jobs may have caused it."""

import asyncio
import time
from collections.abc import Callable

import numpy as np
import pytest

from worker.engine.host.engine_job import EngineJob
from worker.engine.host.watchdog import until_hung
from worker.engine.protocol import Chunk, StemFile

TIMEOUT = 0.4
AUDIO = np.zeros(4, "<f4").tobytes()


async def watch(*running: EngineJob, timeout: float = TIMEOUT) -> list[EngineJob]:
    async with asyncio.timeout(20):
        return await until_hung(lambda: running, timeout)


def step(job: EngineJob) -> None:
    job.done += 1


def chunk(job: EngineJob) -> None:
    job.receive(Chunk("gen_1", AUDIO, 1))


def stem(job: EngineJob) -> None:
    job.receive(StemFile("gen_1", "bass", "bass.f32", 1))


async def keep_moving(job: EngineJob) -> None:
    while True:
        await asyncio.sleep(TIMEOUT / 20)
        step(job)


async def test_an_engine_hangs_on_a_job_without_progress() -> None:
    idle = EngineJob()
    assert await watch(idle) == [idle]


async def test_an_empty_engine_never_hangs() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3 * TIMEOUT):
            await watch()


@pytest.mark.parametrize("advance", [step, chunk, stem])
async def test_steps_audio_and_stems_all_count_as_progress(advance: Callable[[EngineJob], None]) -> None:
    job = EngineJob()
    before = job.progress_marker
    advance(job)
    assert job.progress_marker != before


async def test_only_the_job_without_progress_is_suspected() -> None:
    idle, moving = EngineJob(), EngineJob()
    work = asyncio.create_task(keep_moving(moving))
    assert await watch(idle, moving) == [idle]
    work.cancel()


async def test_all_idle_jobs_are_suspected_but_not_one_that_joined_late() -> None:
    running = [EngineJob(), EngineJob()]

    async def join_late() -> None:
        await asyncio.sleep(0.8 * TIMEOUT)
        running.append(EngineJob())

    late = asyncio.create_task(join_late())
    async with asyncio.timeout(20):
        assert await until_hung(lambda: running, TIMEOUT) == running[:2]
    await late


async def test_a_frozen_worker_does_not_take_its_engine_for_hung() -> None:
    moving = EngineJob()
    work = asyncio.create_task(keep_moving(moving))
    watching = asyncio.create_task(watch(moving))
    await asyncio.sleep(TIMEOUT / 4)
    time.sleep(2 * TIMEOUT)
    await asyncio.sleep(TIMEOUT / 4)
    assert not watching.done()
    watching.cancel()
    work.cancel()
