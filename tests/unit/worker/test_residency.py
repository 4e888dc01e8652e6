"""Which models a worker has in its memory: rules of room and turns, with engines and a clock of the test."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from shared.bus import Bus
from shared.errors import ModelUnavailableError, MusicgenError
from shared.lifecycle import end
from shared.settings import load_settings
from shared.worker_info import ModelState
from worker.engine.host.engine_host import EngineHost
from worker.residency import Residency
from worker.served_model import TURN, TURN_IN_LOADS, ServedModel
from worker.slots import Slot

# Bytes of each model; the estimate before it is loaded is the same.
SIZE = 100


class EmptyHost(EngineHost):
    """An engine without a process. Attributes: `bytes` that it occupies, and the `error` that keeps it from loading."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.bytes = SIZE
        self.error: MusicgenError | None = None
        self.load_seconds = 0.0
        self.clock = Clock()
        self._is_started = False

    @property
    def is_started(self) -> bool:
        return self._is_started

    @property
    def memory(self) -> int:
        return self.bytes if self._is_started else 0

    def start(self) -> None:
        self._is_started, self.slots, self.load_error = True, 2, self.error
        self.clock.now += self.load_seconds
        if self.error is None:
            self.ready.set()
        self._settled.set()

    async def stop(self) -> None:
        self._is_started = False
        self.ready.clear()
        self._settled.clear()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Memory:
    """Models a, b and c, and the residency that decides about them."""

    def __init__(self, budget: int) -> None:
        self.clock = Clock()
        settings = load_settings({"MAX_CONCURRENT_JOBS": "2"})
        self.models = {
            name: ServedModel(name, "starter", settings, cast(Bus, None), self._changed, self.clock) for name in "abc"
        }
        for model in self.models.values():
            self.host(model.name).clock = self.clock
        self.residency = Residency(list(self.models.values()), budget)

    def _changed(self) -> None:
        self.residency.changed()

    def host(self, name: str) -> EmptyHost:
        return cast(EmptyHost, self.models[name].host)

    @property
    def loaded(self) -> str:
        return "".join(name for name, each in self.models.items() if each.host.ready.is_set())

    @property
    def loadable(self) -> str:
        return "".join(each.name for each in self.residency.loadable())

    async def settle(self) -> None:
        """Let the residency do all that it can do now."""
        self.residency.changed()
        for _ in range(50):
            await asyncio.sleep(0)

    async def job(self, name: str) -> Slot:
        """A job of a model; it waits until that is loaded."""
        self.clock.now += 1
        slot = self.models[name].slots.take()
        self._waiting = asyncio.create_task(self.models[name].host.until_loaded())
        await self.settle()
        return slot

    async def run_out(self, name: str) -> None:
        """No job of a model is queued any more."""
        self.models[name].queue_is_empty = True
        await self.settle()

    async def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        await self.settle()

    async def give_up(self) -> None:
        """The job that came last no longer waits for its model."""
        await end((self._waiting,))
        await self.settle()


@pytest.fixture
async def started(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Starts a residency with a budget for this many models."""
    monkeypatch.setattr("worker.served_model.EngineHost", EmptyHost)
    monkeypatch.setattr("worker.served_model.expected_memory", lambda reference: SIZE)
    running: list[asyncio.Task[None]] = []

    async def start(models: float) -> Memory:
        memory = Memory(round(models * SIZE))
        running.append(asyncio.create_task(memory.residency.run()))
        await memory.settle()
        assert memory.loaded == "a"
        return memory

    yield start
    await end(running)


async def test_a_model_is_loaded_beside_others_while_there_is_room(started: Any) -> None:
    memory = await started(2)
    assert memory.loadable == "bc"
    await memory.job("b")
    assert memory.loaded == "ab"


async def test_the_least_recently_used_of_the_idle_models_makes_room(started: Any) -> None:
    memory = await started(2)
    (await memory.job("b")).leave()
    (await memory.job("a")).leave()
    await memory.run_out("a")
    await memory.run_out("b")
    await memory.job("c")
    assert memory.loaded == "ac"


async def test_a_model_with_queued_jobs_makes_no_room_before_its_turn_is_over(started: Any) -> None:
    memory = await started(1)
    assert memory.loadable == ""
    await memory.pass_time(TURN - 1)
    assert memory.loadable == ""
    await memory.pass_time(1)
    assert memory.loadable == "bc"


async def test_a_turn_lasts_four_times_as_long_as_the_load(started: Any) -> None:
    memory = await started(1)
    await memory.run_out("a")
    memory.host("b").load_seconds = 60.0
    (await memory.job("b")).leave()
    await memory.pass_time(TURN_IN_LOADS * 60 - 1)
    assert memory.loadable == ""
    await memory.pass_time(1)
    assert memory.loadable == "ca"


async def test_a_model_whose_turn_is_over_takes_no_more_jobs_but_finishes_those_it_has(started: Any) -> None:
    memory = await started(1)
    running = await memory.job("a")
    await memory.pass_time(TURN)
    assert memory.models["a"].takes_jobs
    await memory.job("b")
    assert not memory.models["a"].takes_jobs
    running.release()
    await memory.settle()
    assert memory.loaded == "a"  # it may be generated again
    running.leave()
    await memory.settle()
    assert memory.loaded == "b"


async def test_a_model_goes_on_if_the_job_that_it_made_room_for_is_gone(started: Any) -> None:
    memory = await started(1)
    await memory.job("a")
    await memory.pass_time(TURN)
    other = await memory.job("b")
    await memory.give_up()
    other.leave()
    await memory.settle()
    assert memory.loaded == "a"
    assert memory.models["a"].takes_jobs


async def test_models_that_wait_come_in_the_order_of_their_last_use(started: Any) -> None:
    memory = await started(1)
    order = []
    for _ in range(6):
        await memory.pass_time(TURN)
        order.append(memory.loadable[0])
        (await memory.job(order[-1])).leave()
    assert order == ["b", "c", "a", "b", "c", "a"]


async def test_one_model_is_loaded_at_a_time(started: Any) -> None:
    memory = await started(1)
    await memory.job("a")
    await memory.pass_time(TURN)
    await memory.job("b")
    assert memory.loadable == ""


async def test_a_model_that_is_alone_may_need_more_than_the_budget(started: Any) -> None:
    memory = await started(0.5)
    await memory.run_out("a")
    await memory.job("b")
    assert memory.loaded == "b"


async def test_a_model_that_needs_more_than_expected_evicts_the_least_recently_used_one(started: Any) -> None:
    memory = await started(2)
    memory.host("b").bytes = 2 * SIZE
    job = await memory.job("b")
    await memory.settle()
    assert memory.loaded == "b"
    job.leave()
    await memory.run_out("b")
    await memory.job("a")
    assert memory.loaded == "a"  # now it is known that both have no room


async def test_a_model_that_cannot_be_loaded_is_not_tried_again_for_a_minute(started: Any) -> None:
    memory = await started(2)
    memory.host("b").error = ModelUnavailableError("Damaged.", "Copy it again.")
    (await memory.job("b")).leave()
    described = memory.models["b"].describe()
    assert (described.state, described.message, described.remedy) == (ModelState.FAILED, "Damaged.", "Copy it again.")
    assert memory.loadable == "c"
    await memory.pass_time(60)
    assert memory.loadable == "cb"
    with pytest.raises(ModelUnavailableError):
        await memory._waiting
