"""Music that was made before, or is just being made, is not made again."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg
from nats.js.kv import KeyValue

from shared import subjects
from shared.job_id import new_job_id
from shared.messages import Job, JobRecord, JobStatus, Recipe
from shared.publisher import publish_job
from shared.topology import JOBS
from tests.integration.finished import DAY, code, later, left, make, plant
from tests.integration.system import Api, System, eventually

RECIPE = Recipe(model="starter", prompt="tone", duration=1.0, seed=7, outputs=("midi",))
REQUEST: dict[str, Any] = msgspec.to_builtins(RECIPE)


async def ask(api: Api, **fields: Any) -> dict[str, Any]:
    """The answer to a request for RECIPE with some fields changed; None leaves one out."""
    body = {name: value for name, value in (REQUEST | fields).items() if value is not None}
    async with api.http.post("/api/v1/generate", json=body) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def messages(system: System) -> int:
    """How many jobs are in the queue."""
    return (await (await system.nats()).jetstream().stream_info(subjects.JOBS_STREAM)).state.messages


async def follower(system: System, **fields: Any) -> str:
    """A job that follows, as a gateway leaves it that dies as soon as its record is there."""
    moment, job_id = datetime.now(UTC), new_job_id()
    values: dict[str, Any] = {"created_at": moment, "updated_at": moment, "recipe": RECIPE, "follows": True}
    await plant(system, JobRecord(job_id=job_id, **(values | fields)))
    return job_id


async def events_of(system: System) -> list[dict[str, Any]]:
    """All events from now on."""
    seen: list[dict[str, Any]] = []

    async def take(message: Msg) -> None:
        seen.append(json.loads(message.data))

    observer = await system.nats("observer")
    await observer.subscribe("music.events.>", cb=take)
    await observer.flush()
    return seen


async def test_the_same_recipe_and_seed_is_answered_at_once_with_the_stored_audio(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    first = await api.generate(seed=7)
    made = await api.until(first, "completed")
    events = await events_of(system)
    second = await api.generate(seed=7)
    status = await api.status(second)
    assert (made["cached"], status["cached"], status["status"]) == (False, True, "completed")
    assert second != first
    assert status["audio_url"] == f"/api/v1/download/{second}"
    assert status["audio"] == made["audio"]
    assert await api.download(second) == await api.download(first)

    async def told() -> bool:
        return [(each["type"], each["job_id"]) for each in events] == [("queued", second), ("completed", second)]

    await eventually(told, "both events came")
    assert await messages(system) == 0


async def test_only_an_equal_recipe_is_answered_and_only_if_the_request_allows_it(system: System) -> None:
    api, stored = await system.gateway(), await make(system)
    assert (await ask(api))["status"] == "completed"
    assert (await ask(api, cache=True))["status"] == "completed"
    for other in ({"cache": False}, {"seed": 8}, {"duration": 2.0}, {"outputs": None}, {"temperature": 0.5}):
        assert (await ask(api, **other))["status"] == "queued"
    assert (await api.status(stored))["cached"] is False


async def test_without_a_seed_every_request_is_a_new_take_unless_a_stored_one_will_do(system: System) -> None:
    api = await system.gateway()
    assert (await ask(api, seed=None, cache=True))["status"] == "queued"
    await make(system)
    assert (await ask(api, seed=None))["status"] == "queued"
    answer = await ask(api, seed=None, cache=True)
    assert answer["status"] == "completed"
    assert (await api.status(answer["job_id"]))["seed"] == RECIPE.seed


async def test_equal_requests_at_the_same_moment_are_made_once_whatever_gateway_they_come_to(system: System) -> None:
    gateways = [await system.gateway() for _ in range(3)]
    answers = await asyncio.gather(*(ask(api, outputs=None) for api in gateways * 5))
    jobs = [answer["job_id"] for answer in answers]
    assert len(set(jobs)) == 15
    assert await messages(system) == 1
    positions = [(await gateways[0].status(job_id))["queue_position"] for job_id in jobs]
    assert sorted(positions, key=str) == [1] + [None] * 14
    await system.worker()
    ended = [await gateways[0].until(job_id, "completed") for job_id in jobs]
    assert sorted(status["attempts"] for status in ended) == [0] * 14 + [1]
    assert len({await gateways[1].download(job_id) for job_id in jobs}) == 1


async def test_a_gateway_that_hears_late_of_others_waits_until_it_knows_who_was_first(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await system.gateway(), await system.gateway()
    held: list[KeyValue.Entry] = []
    take = second.services.index._take
    monkeypatch.setattr(second.services.index, "_take", held.append)
    await ask(first, outputs=None)
    asking = asyncio.create_task(ask(second, outputs=None))

    async def both_came() -> bool:
        return len({update.key for update in held}) == 2

    await eventually(both_came, "the broker has told of both jobs")
    for update in held:
        take(update)
    monkeypatch.setattr(second.services.index, "_take", take)
    assert (await second.status((await asking)["job_id"]))["queue_position"] is None
    assert await messages(system) == 1


async def test_a_job_that_follows_is_made_itself_when_the_first_one_is_cancelled_or_fails(system: System) -> None:
    api = await system.gateway()
    first, second, third = [(await ask(api, outputs=None))["job_id"] for _ in range(3)]
    failing = [(await ask(api, prompt="fail", outputs=None))["job_id"] for _ in range(2)]
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


async def is_queued(api: Api, job_id: str) -> bool:
    return (await api.status(job_id))["queue_position"] is not None


async def test_a_job_that_follows_waits_while_the_first_one_is_tried_again(system: System, tmp_path: Path) -> None:
    api = await system.gateway()
    prompt = f"once {tmp_path}/died"
    first, second = [(await ask(api, prompt=prompt, duration=0.5, outputs=None))["job_id"] for _ in range(2)]
    await system.worker()
    assert [(await api.until(job_id, "completed"))["attempts"] for job_id in (first, second)] == [2, 0]


async def test_what_a_cancelled_job_kept_is_no_take(system: System) -> None:
    api = await system.gateway()
    await make(system, status=JobStatus.CANCELLED)
    assert (await ask(api))["status"] == "queued"


async def test_a_gateway_that_dies_in_between_leaves_no_job_behind(system: System) -> None:
    api, stored = await system.gateway(), await make(system)
    assert (await api.until(await follower(system), "completed"))["audio"]["key"] == f"jobs/{stored}/audio.wav"
    alone = await follower(system, recipe=replace(RECIPE, seed=8))
    await eventually(lambda: is_queued(api, alone), "the job that waits for nobody is in the queue")
    assert await messages(system) == 1


async def test_a_worker_that_is_faster_than_the_gateway_tells_the_steps_in_their_order(system: System) -> None:
    """As where the gateway died between the message and the record."""
    recipe = replace(RECIPE, outputs=())
    events, job_id = await events_of(system), await follower(system, recipe=recipe)
    job = Job(job_id=job_id, recipe=recipe, created_at=datetime.now(UTC))
    await publish_job((await system.nats()).jetstream(), job, None)
    await system.worker()

    async def ended() -> bool:
        return bool(events) and events[-1]["type"] == "completed"

    await eventually(ended, "the job is made")
    assert [each["type"] for each in events if each["type"] != "progress"] == ["queued", "processing", "completed"]
    assert [each["seq"] for each in events] == sorted(each["seq"] for each in events)


async def test_an_end_that_was_not_told_is_told_by_another_gateway(system: System) -> None:
    api, stored = await system.gateway(), await make(system)
    events = await events_of(system)
    moment = datetime.now(UTC)
    done = {"status": JobStatus.COMPLETED, "source": stored, "completed_at": moment}
    job_id = await follower(system, follows=False, **done)
    await api.until(job_id, "completed")
    for _ in range(2):
        await api.services.cache.reconcile()

    async def told() -> bool:
        return [(each["type"], each["job_id"]) for each in events] == [("completed", job_id)]

    await eventually(told, "the event came, once")


async def test_audio_of_a_model_that_was_changed_since_is_made_anew(system: System) -> None:
    api = await system.gateway()
    await make(system, checkpoint="another one")
    assert (await ask(api))["status"] == "completed"  # nobody can tell
    worker = await system.worker()
    assert worker.worker.describe().checkpoint is None
    await eventually(lambda: is_seen(api), "the worker is seen")
    assert (await ask(api))["status"] == "queued"


async def is_seen(api: Api) -> bool:
    return bool(api.services.workers.checkpoints("starter"))


async def test_shared_audio_lives_as_long_as_somebody_uses_it_and_then_goes_for_all(system: System) -> None:
    api, retention = await system.gateway(), await system.retention()
    stored, records = await make(system), await system.records()
    before = await records.get(stored)
    job_id = (await ask(api))["job_id"]
    after = await records.get(stored)
    assert before is not None
    assert after is not None
    assert after.revision > before.revision
    assert await code(api, job_id) == 200
    await retention.clean(later(6 * DAY))
    assert [await code(api, each) for each in (stored, job_id)] == [200, 200]
    await retention.clean(later(8 * DAY))
    assert await left(system, stored, job_id) == []

    async def expired() -> bool:
        return all([(await api.status(each))["audio_expired"] for each in (stored, job_id)])

    await eventually(expired, "the gateway knows")
    async with api.http.get(f"/api/v1/download/{job_id}") as response:
        assert response.status == 410
        assert (await response.json())["recipe"]["outputs"] == ["midi"]
    assert (await api.status(job_id))["audio_url"] is None
    assert (await ask(api))["status"] == "queued"


async def test_audio_that_expires_in_the_same_moment_is_made_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway has not heard of it when it looks for the recipe."""
    api, retention = await system.gateway(), await system.retention()
    stored = await make(system)
    await api.status(stored)
    monkeypatch.setattr(api.services.index, "_take", lambda update: None)
    monkeypatch.setattr(api.services.index, "_position", 1 << 40)
    await retention.clean(later(8 * DAY))
    assert (await ask(api))["status"] == "queued"
    assert await messages(system) == 1


async def test_a_download_of_shared_audio_renews_both_records(system: System) -> None:
    api, stored = await system.gateway(), await make(system)
    job_id, records = (await ask(api))["job_id"], await system.records()
    api.services.renewals._due.clear()
    before = [await records.get(each) for each in (stored, job_id)]
    assert await code(api, job_id) == 200
    after = [await records.get(each) for each in (stored, job_id)]
    assert all(new.revision > old.revision for old, new in zip(before, after, strict=True) if old and new)


async def test_the_sweep_queues_no_job_that_follows_and_ends_one_that_waited_for_days(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sweep.QUIET", 0.0)
    api = await system.gateway()
    jobs = [(await ask(api))["job_id"] for _ in range(2)]
    await api.services.sweep.sweep()
    assert await messages(system) == 1
    monkeypatch.setattr("gateway.sweep.UNSERVED", timedelta(seconds=0))
    await api.services.sweep.sweep()
    for job_id in jobs:
        assert "No worker took this job" in (await api.until(job_id, "failed"))["error_message"]


async def test_a_repeated_request_gets_the_job_that_the_cache_answered(system: System) -> None:
    api = await system.gateway()
    await make(system)
    headers = {"Idempotency-Key": "take-1"}
    fields: dict[str, Any] = {"seed": 7, "outputs": ["midi"], "headers": headers}
    first = await api.generate(**fields)
    assert await api.generate(**fields) == first
    assert (await api.status(first))["cached"] is True


async def test_a_full_queue_refuses_what_the_cache_does_not_have(system: System) -> None:
    api = await system.gateway()
    await make(system)
    await (await system.nats()).jetstream().update_stream(JOBS.evolve(max_msgs=1))
    await ask(api, seed=1)
    async with api.http.post("/api/v1/generate", json=REQUEST | {"seed": 2}) as response:
        assert response.status == 503
    assert (await ask(api))["status"] == "completed"
    assert (await ask(api, seed=1))["status"] == "queued"  # it follows
    async with api.http.get("/api/v1/jobs") as response:
        assert (await response.json())["total"] == 4


async def test_outcomes_are_counted(system: System) -> None:
    api = await system.gateway()
    await make(system)
    for seed in (7, 8, 8):
        await ask(api, seed=seed)
    async with api.http.get("/metrics") as response:
        text = await response.text()
    for outcome in ("stored", "missed", "followed"):
        assert f'musicgen_cache_total{{outcome="{outcome}"}}' in text
