"""Concurrent equal requests are generated once, even if a gateway or worker dies in between."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.errors import UnavailableError
from shared.messages import Job, JobStatus
from shared.publisher import publish_job
from shared.record_feed import Batch
from tests.integration.jobs import (
    RECIPE,
    collect_events,
    is_queued,
    plant_finished,
    plant_follower,
    post_recipe,
    queue_length,
)
from tests.integration.system import System, eventually
from tests.records import some_audio


async def test_concurrent_equal_requests_are_generated_once_across_gateways(system: System) -> None:
    gateways = [await system.gateway() for _ in range(3)]
    answers = await asyncio.gather(*(post_recipe(api, outputs=None) for api in gateways * 5))
    jobs = [answer["job_id"] for answer in answers]
    assert len(set(jobs)) == 15
    assert await queue_length(system) == 1
    positions = [(await gateways[0].status(job_id))["queue_position"] for job_id in jobs]
    assert sorted(positions, key=str) == [1] + [None] * 14
    await system.worker()
    ended = [await gateways[0].until(job_id, "completed") for job_id in jobs]
    assert sorted(status["attempts"] for status in ended) == [0] * 14 + [1]
    assert len({await gateways[1].download(job_id) for job_id in jobs}) == 1


async def test_a_lagging_gateway_waits_until_it_knows_the_leader(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await system.gateway(), await system.gateway()
    held: list[Batch] = []
    take = second.services.index._apply_batch
    monkeypatch.setattr(second.services.index, "_apply_batch", held.append)
    await post_recipe(first, outputs=None)
    asking = asyncio.create_task(post_recipe(second, outputs=None))

    async def both_came() -> bool:
        return len({change.key for batch in held for change in batch.changes}) == 2

    await eventually(both_came, "the broker has told of both jobs")
    for batch in held:
        take(batch)
    monkeypatch.setattr(second.services.index, "_apply_batch", take)
    assert (await second.status((await asking)["job_id"]))["queue_position"] is None
    assert await queue_length(system) == 1


async def test_a_follower_runs_when_its_leader_is_cancelled_or_fails(system: System) -> None:
    api = await system.gateway()
    first, second, third = [(await post_recipe(api, outputs=None))["job_id"] for _ in range(3)]
    failing = [(await post_recipe(api, prompt="fail", outputs=None))["job_id"] for _ in range(2)]
    assert await is_queued(api, first)
    assert not await is_queued(api, second)
    assert await api.delete(first) == 200
    await eventually(lambda: is_queued(api, second), "the second one is in the queue")
    assert await api.delete(third) == 200
    await system.worker()
    assert (await api.until(second, "completed"))["cached"] is False
    assert [(await api.status(job_id))["status"] for job_id in (first, third)] == ["cancelled", "cancelled"]
    for job_id in failing:
        status = await api.until(job_id, "failed")
        assert (status["attempts"], "no such chord" in status["error_message"]) == (1, True)


async def test_a_follower_waits_while_its_leader_is_retried(system: System, tmp_path: Path) -> None:
    api = await system.gateway()
    prompt = f"once {tmp_path}/died"
    first, second = [(await post_recipe(api, prompt=prompt, duration=0.5, outputs=None))["job_id"] for _ in range(2)]
    await system.worker()
    assert [(await api.until(job_id, "completed"))["attempts"] for job_id in (first, second)] == [2, 0]


async def test_a_gateway_crash_strands_no_follower(system: System) -> None:
    api, stored = await system.gateway(), await plant_finished(system)
    assert (await api.until(await plant_follower(system), "completed"))["audio"]["key"] == f"jobs/{stored}/audio.wav"
    alone = await plant_follower(system, recipe=replace(RECIPE, seed=8))
    await eventually(lambda: is_queued(api, alone), "the follower without a leader is queued")
    assert await queue_length(system) == 1


async def test_events_stay_in_order_when_the_worker_outruns_the_gateway(system: System) -> None:
    """As where the gateway died between the message and the record."""
    recipe = replace(RECIPE, outputs=())
    events, job_id = await collect_events(system), await plant_follower(system, recipe=recipe)
    job = Job(job_id=job_id, recipe=recipe, created_at=datetime.now(UTC))
    await publish_job((await system.nats()).jetstream(), job, None)
    await system.worker()

    async def ended() -> bool:
        return bool(events) and events[-1]["type"] == "completed"

    await eventually(ended, "the job is made")
    assert [each["type"] for each in events if each["type"] != "progress"] == ["queued", "processing", "completed"]
    assert [each["seq"] for each in events] == sorted(each["seq"] for each in events)


async def test_another_gateway_publishes_a_missing_terminal_event(system: System) -> None:
    api, stored = await system.gateway(), await plant_finished(system)
    events = await collect_events(system)
    moment = datetime.now(UTC)
    done = {"status": JobStatus.COMPLETED, "source": stored, "completed_at": moment, "audio": some_audio(stored)}
    job_id = await plant_follower(system, is_follower=False, **done)
    await api.until(job_id, "completed")
    for _ in range(2):
        await api.services.result_cache.recover_orphans()

    async def told() -> bool:
        return [(each["type"], each["job_id"]) for each in events] == [("completed", job_id)]

    await eventually(told, "the event came, once")


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.CANCELLED])
async def test_a_terminal_event_that_failed_to_publish_is_published_later(
    system: System, status: JobStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, stored = await system.gateway(), await plant_finished(system)
    events, cache = await collect_events(system), api.services.result_cache
    answer = {"source": stored, "audio": some_audio(stored)} if status is JobStatus.COMPLETED else {}
    job_id = await plant_follower(system, is_follower=False, status=status, completed_at=datetime.now(UTC), **answer)
    await api.until(job_id, status.value)
    await cache.recover_orphans()
    with monkeypatch.context() as outage:
        outage.setattr("gateway.jobs.result_cache.ensure_announced", _away)
        with pytest.raises(UnavailableError):
            await cache.recover_orphans()
    await cache.recover_orphans()

    async def told() -> bool:
        return [(each["type"], each["job_id"]) for each in events] == [(status.value, job_id)]

    await eventually(told, "the event came, once")


async def _away(*_: object) -> None:
    raise UnavailableError("NATS is away")


async def test_the_reconciler_queues_no_follower_and_fails_one_after_days(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.reconciler.STALL_TIME", 0.0)
    monkeypatch.setattr("gateway.jobs.reconciler.INTERVAL", 0.2)
    api = await system.gateway()
    jobs = [(await post_recipe(api))["job_id"] for _ in range(2)]
    await api.services.reconciler.reconcile()
    assert await queue_length(system) == 1
    monkeypatch.setattr("gateway.jobs.reconciler.UNSERVED", timedelta(seconds=0))
    monkeypatch.setattr("gateway.jobs.reconciler.ABSENCE", 0.0)
    await api.services.reconciler.reconcile()
    for job_id in jobs:
        assert "no worker serves its model" in (await api.until(job_id, "failed"))["error_message"]
