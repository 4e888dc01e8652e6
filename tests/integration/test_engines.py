"""The real engines with the starter model, each in its own process."""

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
import torch
from msgspec.structs import replace

from shared.errors import DiskError
from shared.messages import Recipe
from shared.models import STARTER, default_guidance
from shared.worker_info import WorkerState
from tests.faults.small_disk import small_disk
from worker.engine.host.engine_host import EngineHost
from worker.engine.host.engine_job import EngineJob
from worker.engine.interface import EngineSettings, Samples
from worker.engine.loading.checkpoints import STARTER_FOLDER

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 32_000
RECIPE = Recipe(model=STARTER, prompt="happy piano", duration=1.0, seed=7, cfg_coef=default_guidance(STARTER))


class Running:
    """An engine process that has loaded, or said that it cannot."""

    def __init__(self, engine: str, model: str) -> None:
        settings = EngineSettings(engine=engine, model=model, device="auto", max_slots=8, max_duration=120.0)
        self.name = engine
        self.host = EngineHost(settings, self._on_change)
        self._settled = asyncio.Event()
        self.host.start()

    def _on_change(self) -> None:
        if self.host.state in {WorkerState.READY, WorkerState.FAILED}:
            self._settled.set()

    async def settled(self) -> "Running":
        async with asyncio.timeout(280):
            await self._settled.wait()
        return self

    async def generate(self, recipe: Recipe, job_id: str = "gen_000000000000") -> Samples:
        generation = EngineJob()
        await self.host.generate(job_id, recipe, generation)
        return np.concatenate(generation.chunks)

    async def close(self) -> None:
        await self.host.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["batching", "audiocraft"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    running = await Running(request.param, "starter").settled()
    yield running
    await running.close()


async def test_the_starter_loads_without_a_network(engine: Running) -> None:
    info = engine.host.info
    assert info is not None
    slots = {"batching": 8, "audiocraft": 1}[engine.name]
    assert (engine.host.state, engine.host.slots) == (WorkerState.READY, slots)
    assert (info.engine.split()[0], info.sample_rate, info.channels) == (engine.name, RATE, 2)


@pytest.mark.parametrize("duration", [0.5, 0.58, 1.234, 3.0])
async def test_the_audio_is_exactly_as_long_as_asked(engine: Running, duration: float) -> None:
    samples = await engine.generate(replace(RECIPE, duration=duration))
    assert samples.shape == (round(duration * RATE), 2)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    # A piece may begin with a rest, but not with one of two seconds.
    assert duration < 2 or samples.std() > 1e-4


async def test_durations_beyond_the_window_use_the_sliding_window(engine: Running) -> None:
    generation = EngineJob()
    await engine.host.generate("gen_000000000001", replace(RECIPE, duration=30.5), generation)
    assert len(np.concatenate(generation.chunks)) == round(30.5 * RATE)
    assert 0.7 < generation.progress <= 1.0


async def test_the_seed_alone_decides_the_audio(engine: Running) -> None:
    first = await engine.generate(RECIPE)
    await engine.generate(replace(RECIPE, seed=8, duration=0.5))
    assert np.array_equal(first, await engine.generate(RECIPE))
    assert not np.array_equal(first, await engine.generate(replace(RECIPE, seed=8)))


@pytest.mark.parametrize(
    "change", [{"temperature": 2.0}, {"top_k": 1}, {"top_p": 0.1}, {"cfg_coef": 10.0}, {"prompt": "dark drums"}]
)
async def test_every_parameter_changes_the_audio(engine: Running, change: dict[str, float | str]) -> None:
    recipe = replace(RECIPE, duration=6.0)
    plain, changed = await engine.generate(recipe), await engine.generate(replace(recipe, **change))
    assert not np.array_equal(plain, changed)


async def test_extreme_parameters_work(engine: Running) -> None:
    extreme = replace(
        RECIPE, prompt="♪ 夜曲 \n" * 50, top_k=0, top_p=1.0, temperature=0.1, cfg_coef=1.0, seed=2**32 - 1
    )
    assert len(await engine.generate(replace(extreme, seed=2**32 - 1))) == RATE
    assert len(await engine.generate(replace(RECIPE, top_k=1000))) == RATE


async def test_a_cancel_stops_generation_soon(engine: Running) -> None:
    generation = EngineJob()
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


async def test_a_checkpoint_folder_gives_the_same_audio_from_any_path(engine: Running, tmp_path: Path) -> None:
    if engine.name == "audiocraft":
        pytest.skip("importing audiocraft takes long, and the unusual model below is such a folder")
    folder = tmp_path / "My Model"
    shutil.copytree(STARTER_FOLDER, folder)
    copy = await Running(engine.name, str(folder)).settled()
    try:
        assert copy.host.state is WorkerState.READY
        assert np.array_equal(await copy.generate(RECIPE), await engine.generate(RECIPE))
    finally:
        await copy.close()


async def test_batched_requests_give_the_same_audio_as_single_ones(engine: Running) -> None:
    recipes = [
        replace(RECIPE, seed=seed, prompt=f"piano {seed}", cfg_coef=1.0 + seed % 3, duration=0.5 + seed / 4)
        for seed in range(6)
    ]
    jobs = [f"gen_00000000001{seed}" for seed in range(6)]
    if engine.host.slots == 1:
        pytest.skip("audiocraft's own loop has no batch")
    together = await asyncio.gather(*map(engine.generate, recipes, jobs))
    for recipe, samples in zip(recipes, together, strict=True):
        assert np.array_equal(samples, await engine.generate(recipe))


async def test_the_first_chunk_arrives_long_before_the_last(engine: Running) -> None:
    if engine.name == "audiocraft":
        pytest.skip("audiocraft's own loop makes one chunk")
    generation = EngineJob()
    work = asyncio.create_task(engine.host.generate("gen_000000000003", replace(RECIPE, duration=60.0), generation))
    while not generation.chunks:
        await asyncio.sleep(0.01)
    assert generation.progress < 0.5
    await work
    assert len(generation.chunks) > 20
    assert len(np.concatenate(generation.chunks)) == 60 * RATE


async def test_a_model_unknown_to_batching_runs_on_audiocraft(tmp_path: Path) -> None:
    folder = tmp_path / "unusual"
    shutil.copytree(STARTER_FOLDER, folder)
    package = torch.load(folder / "state_dict.bin", weights_only=True)
    package["xp.cfg"] = package["xp.cfg"].replace(
        "positional_embedding: sin", "positional_embedding: sin\n  positional_scale: 0.5"
    )
    torch.save(package, folder / "state_dict.bin")
    (folder / "SHA256SUMS").unlink()
    running = await Running("batching", str(folder)).settled()
    try:
        assert running.host.info is not None
        assert running.host.info.engine == "audiocraft"
        assert len(await running.generate(RECIPE)) == RATE
    finally:
        await running.close()


class Exploit:
    """Unpickling this would run a command."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self._file}'",)


@pytest.mark.parametrize("name", ["batching", "audiocraft"])
async def test_a_checkpoint_that_would_run_code_is_refused(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    (tmp_path / "state_dict.bin").write_bytes(pickle.dumps({"xp.cfg": "", "best_state": Exploit(marker)}))
    (tmp_path / "compression_state_dict.bin").write_bytes(b"")
    running = await Running(name, str(tmp_path)).settled()
    await running.close()
    assert running.host.state is WorkerState.FAILED
    assert "cannot be loaded" in running.host.message
    assert not marker.exists()


@pytest.mark.parametrize("name", ["batching", "audiocraft"])
@pytest.mark.parametrize(
    ("model", "reason"), [("/nowhere/at/all", "is not a checkpoint: it lacks"), ("small", "cannot be downloaded")]
)
async def test_an_unavailable_model_raises_an_error_with_a_remedy(
    name: str, model: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    running = await Running(name, model).settled()
    await running.close()
    assert running.host.state is WorkerState.FAILED
    assert reason in running.host.message
    assert running.host.remedy


async def test_a_full_disk_while_a_stem_is_written_is_no_failure_of_the_job(tmp_path: Path) -> None:
    running = await Running("tests.engines:load_scoring", STARTER).settled()
    recipe = Recipe(model=STARTER, prompt="tone", duration=1.0, outputs=("stems",))
    with small_disk(tmp_path / "disk", 1) as disk:
        job = EngineJob()
        job.folder = disk.folder
        disk.fill()
        with pytest.raises(DiskError, match=r"No space left.*Free some space"):
            await running.host.generate("gen_000000000000", recipe, job)
        disk.free()
        job = EngineJob()
        job.folder = disk.folder
        await running.host.generate("gen_000000000000", recipe, job)
        assert [stem.name for stem in job.stems] == ["bass"]
    await running.close()
