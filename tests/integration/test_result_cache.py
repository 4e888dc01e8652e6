"""The result cache: equal requests get the stored audio."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.messages import JobStatus
from shared.models import default_guidance
from shared.topology import JOBS
from tests.integration.jobs import (
    DAY,
    RECIPE,
    REQUEST,
    collect_events,
    download_status,
    later,
    plant_finished,
    post_recipe,
    queue_length,
    still_stored,
)
from tests.integration.system import Api, System, eventually


async def test_an_equal_recipe_and_seed_gets_the_stored_audio(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    first = await api.generate(seed=7)
    made = await api.until(first, "completed")
    events = await collect_events(system)
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
    assert await queue_length(system) == 0


async def test_only_an_equal_recipe_is_cached_and_only_on_request(system: System) -> None:
    api, stored = await system.gateway(), await plant_finished(system)
    assert (await post_recipe(api))["status"] == "completed"
    assert (await post_recipe(api, cache=True))["status"] == "completed"
    for other in ({"cache": False}, {"seed": 8}, {"duration": 2.0}, {"outputs": None}, {"temperature": 0.5}):
        assert (await post_recipe(api, **other))["status"] == "queued"
    assert (await api.status(stored))["cached"] is False


@pytest.mark.parametrize("model", ["starter", "small"])
async def test_omitted_defaults_equal_explicit_ones(system: System, model: str) -> None:
    """Also where models differ in it: what a recipe is compared by is never what was left open."""
    api = await system.gateway()
    await plant_finished(system, recipe=replace(RECIPE, model=model, cfg_coef=default_guidance(model), outputs=()))
    given = {"model": model, "cfg_coef": default_guidance(model), "outputs": None}
    for field in ("cfg_coef", "temperature", "top_k", "top_p", "sample_format"):
        assert (await post_recipe(api, **(given | {field: None})))["status"] == "completed"
    assert (await post_recipe(api, **(given | {"cfg_coef": 2.0})))["status"] == "queued"


async def test_without_a_seed_every_request_is_new_unless_reuse_is_asked(system: System) -> None:
    api = await system.gateway()
    assert (await post_recipe(api, seed=None, cache=True))["status"] == "queued"
    await plant_finished(system)
    assert (await post_recipe(api, seed=None))["status"] == "queued"
    answer = await post_recipe(api, seed=None, cache=True)
    assert answer["status"] == "completed"
    assert (await api.status(answer["job_id"]))["seed"] == RECIPE.seed


async def test_kept_audio_of_a_cancelled_job_is_not_cached(system: System) -> None:
    api = await system.gateway()
    await plant_finished(system, status=JobStatus.CANCELLED)
    assert (await post_recipe(api))["status"] == "queued"


async def test_audio_of_a_changed_model_is_generated_again(system: System) -> None:
    api = await system.gateway()
    await plant_finished(system, checkpoint="another one")
    assert (await post_recipe(api))["status"] == "completed"  # no worker has announced a checkpoint yet
    worker = await system.worker()
    assert worker.worker.describe().checkpoint is None
    await eventually(lambda: is_seen(api), "the worker is seen")
    assert (await post_recipe(api))["status"] == "queued"


async def is_seen(api: Api) -> bool:
    return bool(api.services.workers.checkpoints("starter"))


async def test_shared_audio_lives_while_used_and_expires_for_all(system: System) -> None:
    api, retention = await system.gateway(), await system.retention()
    stored, records = await plant_finished(system), await system.records()
    before = await records.get(stored)
    job_id = (await post_recipe(api))["job_id"]
    after = await records.get(stored)
    assert before is not None
    assert after is not None
    assert after.revision > before.revision
    assert await download_status(api, job_id) == 200
    await retention.clean(later(6 * DAY))
    assert [await download_status(api, each) for each in (stored, job_id)] == [200, 200]
    await retention.clean(later(8 * DAY))
    assert await still_stored(system, stored, job_id) == []

    async def expired() -> bool:
        return all([(await api.status(each))["audio_expired"] for each in (stored, job_id)])

    await eventually(expired, "the gateway knows")
    async with api.http.get(f"/api/v1/download/{job_id}") as response:
        assert response.status == 410
        assert (await response.json())["recipe"]["outputs"] == ["midi"]
    assert (await api.status(job_id))["audio_url"] is None
    assert (await post_recipe(api))["status"] == "queued"


async def test_audio_that_expires_during_the_request_is_made_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway has not heard of it when it looks for the recipe."""
    api, retention = await system.gateway(), await system.retention()
    stored = await plant_finished(system)
    await api.status(stored)
    monkeypatch.setattr(api.services.index, "_apply_batch", lambda update: None)
    monkeypatch.setattr(api.services.index, "_last_revision", 1 << 40)
    await retention.clean(later(8 * DAY))
    assert (await post_recipe(api))["status"] == "queued"
    assert await queue_length(system) == 1


async def test_a_download_of_shared_audio_renews_both_records(system: System) -> None:
    api, stored = await system.gateway(), await plant_finished(system)
    job_id, records = (await post_recipe(api))["job_id"], await system.records()
    api.services.usage._due.clear()
    before = [await records.get(each) for each in (stored, job_id)]
    assert await download_status(api, job_id) == 200
    after = [await records.get(each) for each in (stored, job_id)]
    assert all(new.revision > old.revision for old, new in zip(before, after, strict=True) if old and new)


async def test_a_repeated_request_gets_the_cached_job(system: System) -> None:
    api = await system.gateway()
    await plant_finished(system)
    headers = {"Idempotency-Key": "take-1"}
    fields: dict[str, Any] = {"seed": 7, "outputs": ["midi"], "headers": headers}
    first = await api.generate(**fields)
    assert await api.generate(**fields) == first
    assert (await api.status(first))["cached"] is True


async def test_a_full_queue_refuses_only_uncached_requests(system: System) -> None:
    api = await system.gateway()
    await plant_finished(system)
    await (await system.nats()).jetstream().update_stream(JOBS.evolve(max_msgs=1))
    await post_recipe(api, seed=1)
    async with api.http.post("/api/v1/generate", json=REQUEST | {"seed": 2}) as response:
        assert response.status == 503
    assert (await post_recipe(api))["status"] == "completed"
    assert (await post_recipe(api, seed=1))["status"] == "queued"  # it follows
    async with api.http.get("/api/v1/jobs") as response:
        assert (await response.json())["total"] == 4


async def test_cache_outcomes_are_counted(system: System) -> None:
    api = await system.gateway()
    await plant_finished(system)
    for seed in (7, 8, 8):
        await post_recipe(api, seed=seed)
    async with api.http.get("/metrics") as response:
        text = await response.text()
    for outcome in ("stored", "missed", "followed"):
        assert f'musicgen_cache_total{{outcome="{outcome}"}}' in text
