"""An attempt that generates again because a take is not on the grid: it can be stopped at any time."""

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from shared.messages import JobRecord, JobStatus, Recipe
from shared.music import grid_samples
from shared.transitions import cancelled, stopping
from tests.integration.system import eventually
from tests.unit.worker.conftest import RATE, RECIPE, Broker, MemoryStorage, ScriptedHost, make
from training.grid_material import drums
from worker.attempt import Attempt
from worker.delivery.spool import Spool
from worker.engine.host.engine_job import EngineJob
from worker.engine.interface import Samples
from worker.production.engine_recipe import try_seed
from worker.production.grid_fit import fit
from worker.production.take import Take
from worker.slots import SlotCount

MATERIAL = drums(3, 16.0)
GRID = replace(RECIPE, duration=4.0, bars=2, bpm=round(MATERIAL.bpm * 1.02, 2), meter=MATERIAL.meter, seed=7)
OFF_GRID: Samples = np.random.default_rng(1).standard_normal((12 * RATE, 1)).astype(np.float32) * np.float32(0.2)


class Engine(ScriptedHost):
    """Makes noise first; its second try waits for `released`, then makes the material."""

    def __init__(self) -> None:
        super().__init__()
        self.script = self.play
        self._made = False
        self.second = asyncio.Event()
        self.released = asyncio.Event()

    async def play(self, job: EngineJob) -> None:
        job.began = time.perf_counter()
        if not self._made:
            self._made = True
            make(job, OFF_GRID)
            return
        self.second.set()
        await self.released.wait()
        make(job, MATERIAL.audio)


class Running:
    """An attempt in its second try."""

    def __init__(self, broker: Broker, tmp_path: Path) -> None:
        self.broker = broker
        self.engine = Engine()
        self.storage = MemoryStorage()
        self.slots = SlotCount(lambda: 1, lambda: None)
        self._spool = Spool(str(tmp_path))

    async def start(self) -> None:
        self.broker.recipe = GRID
        lease = await self.broker.lease()
        self.attempt = Attempt(self.broker.bus, lease, self.engine, self.storage, self._spool, self.slots.take())
        self.task = asyncio.create_task(self.attempt.run())

    async def message_is(self, text: str) -> None:
        async def is_told() -> bool:
            return (await self.record()).message == text

        await eventually(is_told, f"the client is told {text}")

    async def record(self) -> JobRecord:
        return (await self.broker.entry()).record


@pytest.fixture
async def running(broker: Broker, tmp_path: Path) -> Running:
    running = Running(broker, tmp_path)
    await running.start()
    await running.engine.second.wait()
    return running


async def test_another_job_has_the_slot_while_a_take_is_fitted(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, fitting, go_on = Running(broker, tmp_path), threading.Event(), threading.Event()

    def slow_fit(take: Take, recipe: Recipe) -> Take:
        fitting.set()
        assert go_on.wait(60)
        return fit(take, recipe)

    monkeypatch.setattr("worker.tries.fit", slow_fit)
    await running.start()
    assert await asyncio.to_thread(fitting.wait, 60)
    assert running.slots.has_free
    # An exclusive job gets the engine's lock as well.
    async with running.engine.hold(exclusive=True), running.slots.take().taken():
        go_on.set()
        await running.message_is("Waiting until the engine is free, to generate again")
        assert not running.engine.second.is_set()
    running.engine.released.set()
    await running.task
    record = await running.record()
    assert (record.status, record.seed, running.slots.taken) == (JobStatus.COMPLETED, try_seed(7, 1), 0)


async def test_a_take_off_the_grid_is_generated_again_and_its_seed_recorded(running: Running) -> None:
    await running.message_is(f"Generating again: no steady tempo of {GRID.bpm:g} BPM was found")
    assert (await running.record()).progress >= 0.58
    running.engine.released.set()
    await running.task
    record = await running.record()
    assert record.status is JobStatus.COMPLETED
    assert (record.seed, record.recipe.seed, record.warnings) == (try_seed(7, 1), 7, ())
    assert record.music is not None
    assert (record.music.bpm, record.music.bars) == (GRID.bpm, 2)
    assert record.audio is not None
    assert GRID.bpm is not None
    frames = grid_samples(2, GRID.bpm, MATERIAL.meter, RATE)
    assert record.audio.duration == pytest.approx(frames / RATE, abs=1e-6)


async def test_a_client_that_keeps_what_was_made_gets_the_first_take(running: Running) -> None:
    await running.broker.change(stopping)
    await running.attempt.lease.check()
    await running.task
    record = await running.record()
    assert (record.status, record.seed) == (JobStatus.CANCELLED, None)
    assert record.audio is not None
    assert "not on the grid" in record.warnings[0]


async def test_a_cancel_ends_the_second_try_without_a_file(running: Running) -> None:
    await running.broker.change(cancelled)
    await running.attempt.lease.check()
    await running.task
    assert (await running.record()).status is JobStatus.CANCELLED
    assert running.storage.files == {}


async def test_a_stop_of_the_worker_hands_the_job_back_uncounted(running: Running) -> None:
    running.attempt.stopping = True
    running.task.cancel()
    await running.task
    record = await running.record()
    assert (record.status, record.attempts) == (JobStatus.QUEUED, 0)
