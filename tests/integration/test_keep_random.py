"""Stopping jobs and keeping what they made, at moments that chance chooses."""

import asyncio
import random
from typing import Any

import pytest

from tests.integration.jobs import stored_audio, stored_jobs
from tests.integration.kept import RATE, check_kept, until_idle
from tests.integration.listener import listen
from tests.integration.system import System


@pytest.mark.parametrize("seed", range(4))
async def test_at_random_moments_every_job_ends_once_and_nothing_else_is_left(system: System, seed: int) -> None:
    api, worker = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="4")
    listener = await listen(system)
    source = random.Random(seed)

    async def one() -> tuple[str, dict[str, Any]]:
        job_id = await api.generate(
            source.choice(["tone", "slow", "silent", "poison"]), duration=source.choice([0.5, 0.8, 1.2])
        )
        await asyncio.sleep(source.uniform(0, 2.0))
        keep = source.random() < 0.8
        code = await api.delete(job_id, keep=keep)
        status = await api.until(job_id, "completed", "cancelled", timeout=60)
        assert (code == 200) == (status["status"] == "cancelled")
        assert keep or code == 409 or status["audio_url"] is None
        return job_id, status

    jobs = dict(await asyncio.gather(*(one() for _ in range(16))))
    await until_idle(system, worker)
    with_audio = {job_id for job_id, status in jobs.items() if status["audio_url"]}
    assert await stored_jobs(system) & jobs.keys() == with_audio
    for job_id, status in jobs.items():
        await listener.until_ended(job_id)
        assert [end["type"] for end in listener.terminal_events[job_id]] == [status["status"]]
        if job_id in with_audio:
            assert len(await stored_audio(api, job_id)) == round(status["actual_duration"] * RATE)


@pytest.mark.parametrize("seed", range(3))
async def test_stops_of_the_worker_at_random_moments_lose_no_wish(system: System, seed: int) -> None:
    api, listener = await system.gateway(), await listen(system)
    source = random.Random(seed)
    jobs = []
    for _ in range(4):
        worker = await system.worker()
        job_id = await api.generate("slow", duration=60, sample_format="float32")
        jobs.append(job_id)
        await listener.until_chunks(job_id, 1)
        assert await api.delete(job_id, keep=True) == 200
        await asyncio.sleep(source.uniform(0, 0.1))
        await worker.stop(grace=source.choice([0, 0.02, 0.1]))
        await check_kept(api, listener, job_id)
    assert await stored_jobs(system) >= set(jobs)
