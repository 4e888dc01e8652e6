"""Hung engines: the process is alive and makes no progress."""

import pytest
from prometheus_client import REGISTRY

from tests.integration.listener import listen
from tests.integration.system import System, eventually


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.engine.host.engine_host.BACKOFF", (0.1,))


def hangs() -> float:
    return REGISTRY.get_sample_value("musicgen_engine_hangs_total") or 0.0


async def test_the_only_hung_job_fails_after_three_attempts(system: System) -> None:
    api, before = await system.gateway(), hangs()
    worker = await system.worker(MAX_CONCURRENT_JOBS="2", MUSICGEN_ENGINE_PATIENCE="1")
    stuck, mate = await api.generate("deadlock"), await api.generate("slow", duration=3)
    status = await api.until(stuck, "failed")
    assert (status["attempts"], hangs()) == (3, before + 3)
    assert (await api.until(mate, "completed"))["attempts"] == 1

    async def is_idle() -> bool:
        return worker.worker.describe().busy == 0

    await eventually(is_idle, "all slots are free")


async def test_a_hung_job_can_be_cancelled(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.engine.host.engine_host.CANCEL_TIMEOUT", 0.2)
    api, before = await system.gateway(), hangs()
    await system.worker(MAX_CONCURRENT_JOBS="1")
    listener = await listen(system)
    stuck = await api.generate("hang")
    await listener.until_chunks(stuck)
    assert await api.delete(stuck) == 200
    await api.until(await api.generate("tone", duration=0.5), "completed")
    assert hangs() == before
