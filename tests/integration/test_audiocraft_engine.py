"""The real engine: audiocraft with the starter model, in its own process."""

import asyncio
import os
import pickle
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from msgspec.structs import replace

from shared.messages import Recipe, WorkerState
from worker.engine.generation import Generation
from worker.engine.host import EngineHost
from worker.engine.interface import EngineSettings, Samples
from worker.engine.models import STARTER_VERSION, cache_folder

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 32_000
RECIPE = Recipe(model="starter", prompt="happy piano", duration=1.0, seed=7)


class Running:
    """An engine process that has loaded, or said that it cannot."""

    def __init__(self, model: str) -> None:
        settings = EngineSettings(engine="audiocraft", model=model, device="auto", max_slots=8, max_duration=120.0)
        self.host = EngineHost(settings, self._on_change)
        self._settled = asyncio.Event()
        self._task = asyncio.create_task(self.host.run())

    def _on_change(self) -> None:
        if self.host.state in {WorkerState.READY, WorkerState.FAILED}:
            self._settled.set()

    async def settled(self) -> "Running":
        async with asyncio.timeout(100):
            await self._settled.wait()
        return self

    async def generate(self, recipe: Recipe) -> Samples:
        generation = Generation()
        await self.host.generate("gen_000000000000", recipe, generation)
        return generation.samples()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[Running]:
    running = await Running("starter").settled()
    yield running
    await running.close()


async def test_the_starter_loads_without_a_network(engine: Running) -> None:
    info = engine.host.info
    assert info is not None
    assert (engine.host.state, engine.host.slots) == (WorkerState.READY, 1)
    assert (info.engine, info.sample_rate, info.channels) == ("audiocraft", RATE, 1)


@pytest.mark.parametrize("duration", [0.5, 0.58, 1.234, 3.0])
async def test_the_audio_is_exactly_as_long_as_asked(engine: Running, duration: float) -> None:
    samples = await engine.generate(replace(RECIPE, duration=duration))
    assert samples.shape == (round(duration * RATE), 1)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert samples.std() > 1e-4


async def test_more_than_the_window_goes_through_the_sliding_one(engine: Running) -> None:
    generation = Generation()
    await engine.host.generate("gen_000000000001", replace(RECIPE, duration=30.5), generation)
    assert len(generation.samples()) == round(30.5 * RATE)
    assert 0.9 < generation.progress <= 1.0


async def test_the_seed_and_nothing_else_decides(engine: Running) -> None:
    first = await engine.generate(RECIPE)
    await engine.generate(replace(RECIPE, seed=8, duration=0.5))
    assert np.array_equal(first, await engine.generate(RECIPE))
    assert not np.array_equal(first, await engine.generate(replace(RECIPE, seed=8)))


@pytest.mark.parametrize(
    "change", [{"temperature": 2.0}, {"top_k": 1}, {"top_p": 0.1}, {"cfg_coef": 10.0}, {"prompt": "dark drums"}]
)
async def test_every_parameter_is_heard(engine: Running, change: dict[str, float | str]) -> None:
    plain, changed = await engine.generate(RECIPE), await engine.generate(replace(RECIPE, **change))
    assert not np.array_equal(plain, changed)


async def test_extreme_parameters_are_no_error(engine: Running) -> None:
    extreme = replace(
        RECIPE, prompt="♪ 夜曲 \n" * 50, top_k=0, top_p=1.0, temperature=0.1, cfg_coef=1.0, seed=2**32 - 1
    )
    assert len(await engine.generate(replace(extreme, seed=2**32 - 1))) == RATE
    assert len(await engine.generate(replace(RECIPE, top_k=1000))) == RATE


async def test_a_cancel_ends_the_work_soon(engine: Running) -> None:
    generation = Generation()
    work = asyncio.create_task(engine.host.generate("gen_000000000002", replace(RECIPE, duration=120.0), generation))
    async with asyncio.timeout(30):
        while generation.progress < 0.02:
            await asyncio.sleep(0.01)
    began = time.monotonic()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    # The whole job takes ten times as long.
    assert time.monotonic() - began < 3
    assert generation.progress < 0.9
    assert len(await engine.generate(RECIPE)) == RATE


async def test_a_checkpoint_folder_loads_wherever_it_lies_and_sounds_the_same(engine: Running, tmp_path: Path) -> None:
    folder = tmp_path / "My Model"
    shutil.copytree(cache_folder() / f"starter-{STARTER_VERSION}", folder)
    copy = await Running(str(folder)).settled()
    try:
        assert copy.host.state is WorkerState.READY
        assert np.array_equal(await copy.generate(RECIPE), await engine.generate(RECIPE))
    finally:
        await copy.close()


class Exploit:
    """Unpickling this would run a command."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self._file}'",)


async def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    (tmp_path / "state_dict.bin").write_bytes(pickle.dumps({"xp.cfg": "", "best_state": Exploit(marker)}))
    (tmp_path / "compression_state_dict.bin").write_bytes(b"")
    running = await Running(str(tmp_path)).settled()
    await running.close()
    assert running.host.state is WorkerState.FAILED
    assert "cannot be loaded" in running.host.message
    assert not marker.exists()


@pytest.mark.parametrize(
    ("model", "reason"), [("/nowhere/at/all", "is no checkpoint: it lacks"), ("small", "cannot be downloaded")]
)
async def test_a_model_that_cannot_be_had_is_told_with_a_remedy(
    model: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    running = await Running(model).settled()
    await running.close()
    assert running.host.state is WorkerState.FAILED
    assert reason in running.host.message
    assert running.host.remedy
