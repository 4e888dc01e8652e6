"""From a POST to a playable file, over REST, WebSocket, NATS and S3."""

import asyncio
import io
import json
import re
from typing import Any

import msgspec
import pytest
import soundfile
from nats.aio.msg import Msg

from shared.bus import flush
from shared.messages import Event
from tests.integration.system import System, eventually

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_prompt_becomes_a_wav_of_the_requested_duration(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate("tone", duration=1.23, seed=7)
    status = await api.until(job_id, "completed")
    async with api.http.get(f"/api/v1/download/{job_id}") as response:
        assert response.status == 200
        assert [each.status for each in response.history] == [302]
        assert response.content_type == "audio/wav"
        data = await response.read()
    samples, rate = soundfile.read(io.BytesIO(data))
    assert (len(samples), rate) == (round(1.23 * 32_000), 32_000)
    assert status["file_size"] == len(data) > 44 + 2 * len(samples)
    assert status["actual_duration"] == pytest.approx(1.23)
    assert status["progress"] == 1.0
    assert status["seed"] == 7
    assert status["audio_url"] == f"/api/v1/download/{job_id}"
    assert status["started_at"] <= status["completed_at"]


async def test_every_gateway_lists_jobs_in_creation_order_after_a_restart_too(
    system: System,
) -> None:
    first, second = await system.gateway(), await system.gateway()
    made = [await first.generate(duration=0.5, seed=number) for number in range(30)]
    await second.until(made[-1], "queued")
    later = await system.gateway()
    for api in (first, second, later):
        async with api.http.get("/api/v1/jobs") as response:
            jobs = (await response.json())["jobs"]
        assert [job["job_id"] for job in reversed(jobs)] == made
        assert all(TIME.fullmatch(job["created_at"]) for job in jobs)


async def test_rest_websocket_and_nats_use_the_same_time_format(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    subscription = await (await system.nats("observer")).subscribe("music.events.>")
    job_id = await api.generate(duration=0.5)
    status = await api.until(job_id, "completed")
    assert all(TIME.fullmatch(status[name]) for name in ("created_at", "started_at", "completed_at"))
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as socket:
        assert TIME.fullmatch((await socket.receive_json(timeout=10))["at"])
    assert TIME.fullmatch(json.loads((await subscription.next_msg(timeout=10)).data)["at"])
    stored = json.loads((await (await system.records()).bucket.get(job_id)).value or b"")
    assert all(TIME.fullmatch(value) for name, value in stored.items() if name.endswith("_at") and value)
    async with api.http.get("/health") as response:
        assert all(TIME.fullmatch(worker["started_at"]) for worker in (await response.json())["workers"])


async def test_the_stored_object_has_type_checksum_and_recipe(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate("tone ♪ für dich", duration=0.5, seed=3)
    status = await api.until(job_id, "completed")
    found = await asyncio.to_thread(system.storage()._client.stat_object, "music-audio", f"jobs/{job_id}/audio.wav")
    metadata = {name.lower(): value for name, value in (found.metadata or {}).items()}
    assert metadata["content-type"] == "audio/wav"
    assert metadata["x-amz-meta-sha256"] == status["audio"]["sha256"]
    assert json.loads(metadata["x-amz-meta-recipe"]) == status["recipe"]


async def test_downloads_support_range_head_and_proxy(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate(duration=0.5)
    size = (await api.until(job_id, "completed"))["file_size"]
    url = f"/api/v1/download/{job_id}"
    for path in (url, f"{url}?proxy=1"):
        async with api.http.get(path, headers={"Range": "bytes=10-19"}) as response:
            assert response.status == 206
            assert response.headers["Content-Range"] == f"bytes 10-19/{size}"
            assert len(await response.read()) == 10
    async with api.http.get(f"{url}?proxy=1", headers={"Range": "bytes=9999999-"}) as response:
        assert response.status == 416
        assert response.content_type == "application/problem+json"
    async with api.http.get(f"{url}?proxy=1") as response:
        assert response.status == 200
        assert (await response.read())[:4] == b"RIFF"
    async with api.http.head(url) as response:
        assert response.status == 200
        assert response.headers["Content-Length"] == str(size)


async def test_a_download_without_audio_is_an_error(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    async with api.http.get(f"/api/v1/download/{job_id}") as response:
        assert response.status == 409
        assert "queued" in (await response.json())["detail"]
    async with api.http.get("/api/v1/download/gen_000000000000") as response:
        assert response.status == 404
    async with api.http.get("/api/v1/download/..%2f..%2fetc") as response:
        assert response.status == 404


async def test_audio_deleted_from_the_bucket_is_a_410(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate(duration=0.5)
    await api.until(job_id, "completed")
    await system.storage().remove_job(job_id)
    async with api.http.get(f"/api/v1/download/{job_id}?proxy=1") as response:
        assert response.status == 410


async def test_nats_subscribers_and_websocket_clients_see_the_same_events(system: System) -> None:
    api = await system.gateway()
    direct: list[dict[str, Any]] = []

    async def take(message: Msg) -> None:
        event = json.loads(message.data)
        assert message.subject == f"music.events.{event['job_id']}.{event['type']}"
        direct.append(event)

    observer = await system.nats("observer")
    await observer.subscribe("music.events.>", cb=take)
    await flush(observer)
    job_id = await api.generate("slow", duration=1.5)
    seen: list[dict[str, Any]] = []
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as socket:
        await system.worker()
        while not seen or seen[-1]["type"] != "completed":
            seen.append(json.loads((await socket.receive()).data))

    async def both_ended() -> bool:
        return direct[-1:] == seen[-1:]

    await eventually(both_ended, "the subscriber receives the last event as well")
    # The WebSocket starts with the current state, the `queued` event.
    assert seen == direct
    kinds = [event["type"] for event in seen]
    assert kinds[:2] == ["queued", "processing"]
    assert kinds.count("progress") >= 2
    assert kinds.count("completed") == 1
    numbers = [event["seq"] for event in seen]
    assert numbers == sorted(set(numbers))
    progress = [event["progress"] for event in seen]
    assert progress == sorted(progress)


async def test_progress_comes_two_to_ten_times_a_second(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    observer = await system.nats("observer")
    events: list[Event] = []

    async def take(message: Msg) -> None:
        events.append(msgspec.json.decode(message.data, type=Event))

    await observer.subscribe("music.events.*.progress", cb=take)
    await flush(observer)
    job_id = await api.generate("slow", duration=3)
    await api.until(job_id, "completed")
    assert 5 <= len(events) <= 30


async def test_the_same_recipe_gives_the_same_file(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    first, second = [await api.generate(seed=5, cache=False) for _ in range(2)]
    checksums = {(await api.until(job, "completed"))["audio"]["sha256"] for job in (first, second)}
    other = (await api.until(await api.generate(seed=6), "completed"))["audio"]["sha256"]
    assert len(checksums) == 1
    assert other not in checksums


@pytest.mark.parametrize(("sample_format", "subtype"), [("int16", "PCM_16"), ("int24", "PCM_24"), ("float32", "FLOAT")])
async def test_the_audio_has_the_requested_sample_format(system: System, sample_format: str, subtype: str) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate("loud", duration=0.5, sample_format=sample_format)
    await api.until(job_id, "completed")
    async with api.http.get(f"/api/v1/download/{job_id}") as response:
        file = soundfile.SoundFile(io.BytesIO(await response.read()))
    assert file.subtype == subtype
    # A true peak of -1 dBTP at most.
    assert 0.85 < abs(file.read()).max() <= 10 ** (-1 / 20)


async def test_eta_is_reported_once_jobs_have_been_timed(system: System) -> None:
    api, worker = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="1")
    await api.until(await api.generate("slow", duration=1), "completed")
    running = await api.generate("slow", duration=3)
    await api.until(running, "processing")
    first, second = await api.generate("slow", duration=2), await api.generate("slow", duration=2)
    waiting = [await api.status(job) for job in (first, second)]
    assert [each["queue_position"] for each in waiting] == [1, 2]
    assert waiting[0]["eta_seconds"] < waiting[1]["eta_seconds"]
    assert 0 < (await api.status(running))["eta_seconds"] <= 4
    assert worker.worker.describe().busy == 1


async def test_a_job_for_an_unserved_model_waits_and_says_why(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate(model="large")
    status = await api.status(job_id)
    assert status["status"] == "queued"
    assert "no worker serves the model large" in status["message"]
    assert status["queue_position"] == 1


async def test_health_lists_live_workers_and_drops_stopped_ones(system: System) -> None:
    api, worker = await system.gateway(), await system.worker()

    async def listed() -> list[dict[str, Any]]:
        return [each for each in (await api.health())["workers"] if each["state"] == "ready"]

    (info,) = await eventually(listed, "the worker is listed")
    assert (info["model"], info["device"], info["slots"]) == ("starter", "cpu", 2)
    await worker.stop()

    async def empty() -> bool:
        health = await api.health()
        return bool(health["workers"] == [] and health["status"] == "degraded")

    await eventually(empty, "the worker is gone")
