"""The reference engine on a GPU. Skipped without one."""

import asyncio

import numpy as np
import pynvml
import pytest

from shared.messages import Recipe
from shared.worker_info import WorkerState
from worker.engine.host.engine_host import EngineHost
from worker.engine.host.engine_job import EngineJob
from worker.engine.interface import EngineSettings


def gpus() -> int:
    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(gpus() == 0, reason="no NVIDIA GPU")]


async def test_same_recipe_gives_the_same_audio_on_the_gpu() -> None:
    settled = asyncio.Event()

    def on_change() -> None:
        if host.state in {WorkerState.READY, WorkerState.FAILED}:
            settled.set()

    settings = EngineSettings(engine="audiocraft", model="starter", device="auto", max_slots=1, max_duration=120.0)
    host = EngineHost(settings, on_change)
    host.start()
    try:
        async with asyncio.timeout(100):
            await settled.wait()
        assert host.info is not None, host.message
        assert host.info.device == "cuda"
        recipe = Recipe(model="starter", prompt="happy piano", duration=2.0, seed=7)
        generations = [EngineJob(), EngineJob()]
        for number, generation in enumerate(generations):
            await host.generate(f"gen_{number:012}", recipe, generation)
        first, again = [np.concatenate(generation.chunks) for generation in generations]
        assert first.shape == (64_000, 1)
        assert np.isfinite(first).all()
        assert np.array_equal(first, again)
    finally:
        await host.stop()
