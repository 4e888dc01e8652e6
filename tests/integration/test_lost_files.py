"""Files that are missing from the store or damaged, by an operator or a bad disk."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from shared.messages import JobStatus
from shared.records import Entry
from shared.storage import Storage
from tests.integration.jobs import (
    DAY,
    HOUR,
    download_status,
    later,
    plant_finished,
    post_recipe,
    queue_length,
    still_stored,
)
from tests.integration.system import Api, System, eventually
from tests.servers import Server

Damage = Callable[[Storage, str], None]


def delete(storage: Storage, key: str) -> None:
    storage._client.remove_object(storage.bucket, key)


def truncate(storage: Storage, key: str) -> None:
    put(storage, key, b"RIFF\0\0\0")


def replace(storage: Storage, key: str) -> None:
    put(storage, key, b"x" * size_of(storage, key))


def replace_with_its_metadata(storage: Storage, key: str) -> None:
    found = storage._client.stat_object(storage.bucket, key).metadata or {}
    own = {name: value for name, value in found.items() if name.lower().startswith("x-amz-meta-")}
    put(storage, key, b"x" * size_of(storage, key), own)


def empty_the_bucket(storage: Storage, key: str) -> None:
    for item in storage._client.list_objects(storage.bucket, recursive=True):
        delete(storage, str(item.object_name))


def put(storage: Storage, key: str, data: bytes, metadata: dict[str, Any] | None = None) -> None:
    storage._client.put_object(storage.bucket, key, io.BytesIO(data), len(data), metadata=metadata)


def size_of(storage: Storage, key: str) -> int:
    return storage._client.stat_object(storage.bucket, key).size or 0


DAMAGES = (delete, truncate, replace, replace_with_its_metadata, empty_the_bucket)
QUERIES = ("", "?proxy=1")


async def damaged(system: System, damage: Damage, job_id: str, name: str = "audio.wav") -> None:
    await asyncio.to_thread(damage, system.storage(), f"jobs/{job_id}/{name}")


async def recipe_of(api: Api, path: str) -> dict[str, Any]:
    """What the 410 of a lost file says in either way; its body is to be posted."""
    for query in (*QUERIES, *QUERIES):
        async with api.http.get(f"/api/v1/download/{path}{query}", allow_redirects=False) as response:
            assert response.status == 410
            problem: dict[str, Any] = await response.json()
            assert "is lost" in problem["detail"]
        async with api.http.head(f"/api/v1/download/{path}{query}") as response:
            assert response.status == 410
    recipe: dict[str, Any] = problem["recipe"]
    return recipe


async def posted(api: Api, recipe: dict[str, Any]) -> dict[str, Any]:
    """The status of the job that a recipe makes, when it is done."""
    async with api.http.post("/api/v1/generate", json=recipe) as response:
        return await api.until((await response.json())["job_id"], "completed", "failed")


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("damage", DAMAGES)
async def test_lost_audio_is_a_410_and_its_recipe_makes_it_again(system: System, damage: Damage, query: str) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate(duration=0.5, seed=7)
    await api.until(job_id, "completed")
    audio = await api.download(job_id)
    await damaged(system, damage, job_id)
    async with api.http.get(f"/api/v1/download/{job_id}{query}", allow_redirects=False) as response:
        assert response.status == 410
    recipe = await recipe_of(api, job_id)
    status = await api.status(job_id)
    assert (status["status"], status["audio_expired"], status["audio_url"]) == ("completed", True, None)
    assert "lost" in status["message"]
    again = await posted(api, recipe)
    assert (again["status"], again["cached"]) == ("completed", False)
    assert await api.download(again["job_id"]) == audio
    assert (await posted(api, recipe))["cached"] is True


@pytest.mark.parametrize("damage", DAMAGES)
async def test_lost_audio_is_noticed_by_an_equal_request_and_made_again(system: System, damage: Damage) -> None:
    api = await system.gateway()
    job_id = await plant_finished(system)
    await damaged(system, damage, job_id)
    assert (await post_recipe(api))["status"] == "queued"
    assert await queue_length(system) == 1
    assert (await api.status(job_id))["audio_expired"] is True


async def test_all_jobs_that_share_lost_audio_report_the_loss(system: System) -> None:
    api, other, _ = await system.gateway(), await system.gateway(), await system.worker()
    first = await api.generate(duration=0.5, seed=7)
    await api.until(first, "completed")
    headers = {"Idempotency-Key": "take-1"}
    second = await api.generate(duration=0.5, seed=7, headers=headers)
    assert (await api.status(second))["cached"] is True
    await damaged(system, delete, first)
    recipe = await recipe_of(api, second)

    async def told(gateway: Api) -> bool:
        return all([(await gateway.status(each))["audio_expired"] for each in (first, second)])

    for gateway in (api, other):
        await eventually(lambda gateway=gateway: told(gateway), "every gateway knows")  # type: ignore[misc]
        assert [await download_status(gateway, each) for each in (first, second)] == [410, 410]
    third = await posted(other, recipe)
    assert third["cached"] is False
    # The key belongs to the first request; a new one gets the new audio.
    assert await api.generate(duration=0.5, seed=7, headers=headers) == second
    fourth = await posted(api, recipe)
    assert (fourth["cached"], fourth["audio"]["key"]) == (True, third["audio"]["key"])
    assert await download_status(api, fourth["job_id"]) == 200


@pytest.mark.parametrize("damage", DAMAGES[:4])
async def test_a_lost_midi_file_leaves_the_audio_downloadable(system: System, damage: Damage) -> None:
    api, retention = await system.gateway(), await system.retention()
    job_id = await plant_finished(system)
    await damaged(system, damage, job_id, "audio.mid")
    recipe = await recipe_of(api, f"{job_id}/audio.mid")
    status = await api.status(job_id)
    assert (status["audio_expired"], status["outputs"]) == (False, [])
    assert await download_status(api, job_id) == 200
    await retention.clean(later(2 * HOUR))
    assert await still_stored(system, job_id) == [job_id]
    async with api.http.post("/api/v1/generate", json=recipe) as response:
        assert (await response.json())["status"] == "queued"
    await damaged(system, delete, job_id)
    await recipe_of(api, job_id)


@pytest.mark.parametrize("damage", DAMAGES[:4])
async def test_lost_peaks_leave_everything_else_downloadable(system: System, damage: Damage) -> None:
    api = await system.gateway()
    job_id = await plant_finished(system)
    path = f"/api/v1/download/{job_id}/audio.peaks.json"
    assert (await api.status(job_id))["peaks_url"] == path
    async with api.http.get(path) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert response.headers["Content-Disposition"].endswith(f'_{job_id}.peaks.json"')
    await damaged(system, damage, job_id, "audio.peaks.json")
    await recipe_of(api, f"{job_id}/audio.peaks.json")
    status = await api.status(job_id)
    assert (status["audio_expired"], status["peaks_url"]) == (False, None)
    assert [output["name"] for output in status["outputs"]] == ["audio.mid"]
    assert await download_status(api, job_id) == await download_status(api, f"{job_id}/audio.mid") == 200


async def test_kept_audio_of_a_stopped_job_can_be_lost(system: System) -> None:
    api = await system.gateway()
    job_id = await plant_finished(system, status=JobStatus.CANCELLED)
    await damaged(system, truncate, job_id)
    await recipe_of(api, job_id)
    status = await api.status(job_id)
    assert (status["status"], status["audio_expired"]) == ("cancelled", True)


async def test_remaining_files_of_lost_audio_are_removed_after_a_day(system: System) -> None:
    api, retention = await system.gateway(), await system.retention()
    job_id, other = await plant_finished(system), await plant_finished(system, size=50)
    await damaged(system, truncate, job_id)
    await recipe_of(api, job_id)
    await retention.clean(later(23 * HOUR))
    assert await still_stored(system, job_id, other) == [job_id, other]
    await retention.clean(later(25 * HOUR))
    assert await still_stored(system, job_id, other) == [other]
    async with api.http.get("/api/v1/jobs") as response:
        listed = {each["job_id"]: each["audio_expired"] for each in (await response.json())["jobs"]}
    assert listed == {job_id: True, other: False}


async def test_a_loss_noticed_concurrently_is_recorded_once(system: System) -> None:
    gateways, retention = [await system.gateway() for _ in range(2)], await system.retention()
    records, job_id = await system.records(), await plant_finished(system)
    before = await records.get(job_id)
    assert before is not None
    await damaged(system, delete, job_id)

    async def download(api: Api, query: str) -> int:
        async with api.http.get(f"/api/v1/download/{job_id}{query}", allow_redirects=False) as response:
            return response.status

    asked = [download(api, query) for api in gateways for query in QUERIES for _ in range(5)]
    codes = await asyncio.gather(
        *asked, *(records.mark_lost(job_id) for _ in range(5)), retention.clean(later(8 * DAY))
    )
    assert codes[:20] == [410] * 20
    after = await records.get(job_id)
    assert after is not None
    assert after.record.expired_at is not None
    assert len(after.record.lost) <= 1
    assert after.record.seq == before.revision


async def test_an_operator_can_mark_shared_audio_as_lost_by_any_job(system: System) -> None:
    """The store's answer may be an error for ever, where the disk below one object is broken."""
    api, records = await system.gateway(), await system.records()
    job_id = await plant_finished(system)
    shared = (await post_recipe(api))["job_id"]
    marked = await records.mark_lost(shared)
    assert marked is not None
    assert (marked.record.job_id, marked.record.lost) == (job_id, (f"jobs/{job_id}/audio.wav",))
    assert await records.mark_lost(job_id) == marked
    assert await records.mark_lost("gen_000000000000") is None

    async def gone() -> bool:
        return [await download_status(api, each) for each in (job_id, shared)] == [410, 410]

    await eventually(gone, "the gateway hears of it")
    assert (await post_recipe(api))["status"] == "queued"


@pytest.fixture
async def alone(
    nats_urls: dict[str, str], s3_process: tuple[Server, dict[str, dict[str, str]]]
) -> AsyncIterator[tuple[System, Server]]:
    """A system with a store of its own, which the test may stop and spoil."""
    async with AsyncExitStack() as stack:
        yield System(nats_urls, s3_process[1], stack), s3_process[0]


async def test_an_s3_outage_or_a_missing_bucket_marks_nothing_as_lost(alone: tuple[System, Server]) -> None:
    system, server = alone
    api, records = await system.gateway(), await system.records()
    job_id = await plant_finished(system)
    before = await records.get(job_id)
    storage = system.storage()

    async def refused(word: str) -> None:
        for query in QUERIES:
            async with api.http.get(f"/api/v1/download/{job_id}{query}", allow_redirects=False) as response:
                assert response.status == 503
                assert word in (await response.json())["detail"]
        assert await records.get(job_id) == before

    await until_s3(api, "healthy")
    server.kill()
    await refused("S3 is away")
    await server.start_again()
    await asyncio.to_thread(empty_the_bucket, storage, "")
    await asyncio.to_thread(storage._client.remove_bucket, storage.bucket)
    await refused("S3 has no bucket")
    await asyncio.to_thread(storage._client.make_bucket, storage.bucket)
    await until_s3(api, "healthy")
    await recipe_of(api, job_id)  # now it is known to be lost


async def until_s3(api: Api, state: str) -> None:
    async def seen() -> bool:
        return api.services.probe.s3.status == state

    await eventually(seen, f"S3 is {state}")


async def test_a_lost_file_is_a_410_during_a_nats_outage(isolated: System, nats_process: Any) -> None:
    api = await isolated.gateway()
    job_id = await plant_finished(isolated)
    await api.status(job_id)
    await damaged(isolated, delete, job_id)
    nats_process[0].kill()
    await recipe_of(api, job_id)
    await nats_process[0].start_again()

    async def noted() -> Entry | None:
        entry = await api.services.record_store.fetch(job_id) if api.services.bus.is_ready else None
        if entry is None or not entry.record.lost:
            await download_status(api, job_id)
            return None
        return entry

    await eventually(noted, "the record learns it later")
