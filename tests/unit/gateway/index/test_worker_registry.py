"""Which workers are live."""

import pytest

from gateway.index.worker_registry import ANNOUNCEMENT_TIMEOUT, WorkerRegistry
from shared.subjects import worker_subject
from shared.worker_info import WorkerInfo, WorkerState
from tests.unit.gateway.samples import message, worker


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def announce(registry: WorkerRegistry, info: WorkerInfo) -> None:
    await registry.on_message(message(worker_subject(info.worker_id), info))


async def test_a_worker_is_live_until_its_announcements_stop() -> None:
    clock = Clock()
    registry = WorkerRegistry(clock)
    await announce(registry, worker("w1"))
    clock.now += ANNOUNCEMENT_TIMEOUT
    assert registry.live() == [worker("w1")]
    clock.now += 0.001
    assert registry.live() == []


async def test_only_the_worker_without_announcements_is_dropped() -> None:
    clock = Clock()
    registry = WorkerRegistry(clock)
    await announce(registry, worker("w1"))
    await announce(registry, worker("w2"))
    clock.now += ANNOUNCEMENT_TIMEOUT / 2
    await announce(registry, worker("w2", busy=1))
    clock.now += ANNOUNCEMENT_TIMEOUT / 2 + 0.1
    assert registry.live() == [worker("w2", busy=1)]


async def test_an_empty_announcement_drops_the_worker_at_once() -> None:
    registry = WorkerRegistry()
    await announce(registry, worker("w1"))
    for _ in range(2):
        await registry.on_message(message(worker_subject("w1"), b""))
        assert registry.live() == []


async def test_workers_are_listed_by_id() -> None:
    registry = WorkerRegistry()
    for name in ("b", "c", "a"):
        await announce(registry, worker(name))
    assert [info.worker_id for info in registry.live()] == ["a", "b", "c"]


@pytest.mark.parametrize("data", [b"{}", b"nonsense", b"[]", b'{"worker_id": 1}', b"[" * 100_000])
async def test_an_invalid_announcement_is_ignored(data: bytes) -> None:
    registry = WorkerRegistry()
    await announce(registry, worker("w1"))
    await registry.on_message(message(worker_subject("w1"), data))
    assert registry.live() == [worker("w1")]


async def test_only_workers_of_the_model_in_state_ready_are_ready() -> None:
    registry = WorkerRegistry()
    await announce(registry, worker("w1", slots=2))
    await announce(registry, worker("w2", slots=3))
    await announce(registry, worker("w3", slots=4, state=WorkerState.LOADING))
    await announce(registry, worker("w4", slots=5, state=WorkerState.STOPPING))
    await announce(registry, worker("w5", slots=6, state=WorkerState.FAILED))
    await announce(registry, worker("w6", slots=7, model="small"))
    slots = {model: [each.slots for each in registry.ready(model)] for model in ("starter", "small", "large")}
    assert slots == {"starter": [2, 3], "small": [7], "large": []}
    assert len(registry.of_model("starter")) == 5


async def test_fields_of_a_newer_worker_are_ignored() -> None:
    registry = WorkerRegistry()
    data = message("", worker("w1")).data[:-1] + b', "colour": "blue"}'
    await registry.on_message(message(worker_subject("w1"), data))
    assert registry.live() == [worker("w1")]


async def test_absence_starts_at_the_last_announcement_of_a_worker_that_has_not_failed() -> None:
    clock = Clock()
    registry = WorkerRegistry(clock)
    clock.now += 50
    assert registry.absence("starter") == 50
    await announce(registry, worker("w1"))
    clock.now += 20
    await announce(registry, worker("w2", state=WorkerState.FAILED))
    assert (registry.absence("starter"), registry.absence("small")) == (20, 70)


async def test_absence_restarts_when_nats_reconnects() -> None:
    clock = Clock()
    registry = WorkerRegistry(clock)
    clock.now += 5000
    await registry.on_connect()
    clock.now += 1
    assert registry.absence("starter") == 1
