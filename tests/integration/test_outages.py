"""Outages of NATS or S3: clear errors meanwhile, and recovery without intervention."""

import asyncio
from contextlib import AsyncExitStack

import numpy as np

from shared import subjects
from tests.integration.jobs import stored_audio
from tests.integration.listener import listen
from tests.integration.system import Api, System, eventually
from tests.servers import Server

Broker = tuple[Server, dict[str, str]]
Store = tuple[Server, dict[str, dict[str, str]]]


async def _is_refused(api: Api) -> bool:
    async with api.http.post("/api/v1/generate", json={"prompt": "tone"}) as response:
        if response.status == 200:
            return False
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        return True


async def test_requests_get_503_without_nats_and_work_afterwards(isolated: System, nats_process: Broker) -> None:
    server, _ = nats_process
    api, _ = await isolated.gateway(), await isolated.worker()
    known = await api.generate(duration=0.5)
    await api.until(known, "completed")
    server.kill()
    await eventually(lambda: _is_refused(api), "requests are refused")
    # Known jobs are still answered, and the process is alive.
    assert (await api.status(known))["status"] == "completed"
    async with api.http.get("/health/live") as response:
        assert response.status == 200
    async with api.http.get("/health") as response:
        assert response.status == 503
        assert (await response.json())["components"]["nats"]["status"] == "unhealthy"
    await server.start_again()
    await api.until_ready()
    await api.until(await api.generate(duration=0.5), "completed")


async def test_a_gateway_that_starts_before_nats_waits_for_it(isolated: System, nats_process: Broker) -> None:
    server, _ = nats_process
    server.kill()
    starting = asyncio.create_task(isolated.gateway())
    await asyncio.sleep(1)
    assert not starting.done()
    await server.start_again()
    await (await starting).generate()


async def test_a_broker_that_dies_during_a_job_loses_nothing(isolated: System, nats_process: Broker) -> None:
    server, _ = nats_process
    api, _ = await isolated.gateway(), await isolated.worker()
    running = await api.generate("slow", duration=3)
    waiting = [await api.generate("tone", duration=0.5) for _ in range(3)]
    await api.until(running, "processing")
    async with api.http.ws_connect(f"/ws?job_id={running}") as socket:
        server.kill()
        await asyncio.sleep(0.5)
        await server.start_again()
        assert (await api.until(running, "completed", timeout=60))["attempts"] == 1
        for job_id in waiting:  # the broker may die while one of them is claimed, which is then claimed again
            await api.until(job_id, "completed", timeout=60)
        frames = [(await socket.receive_json(timeout=5))["type"]]
        while frames[-1] != "completed":
            frames.append((await socket.receive_json(timeout=5))["type"])
    assert frames.count("completed") == 1


async def test_a_frozen_broker_does_not_block_audio(isolated: System, nats_process: Broker) -> None:
    server, _ = nats_process
    api, _ = await isolated.gateway(), await isolated.worker()
    listener = await listen(isolated)
    job_id = await api.generate("slow", duration=4, sample_format="float32")
    await listener.until_chunks(job_id, 2)
    server.freeze()
    await asyncio.sleep(3)
    server.thaw()
    status = await api.until(job_id, "completed", timeout=60)
    assert (status["attempts"], status["actual_duration"]) == (1, 4.0)
    # Some of it was dropped or not: what was heard is where it says it is.
    audio = await stored_audio(api, job_id)
    assert listener.chunks[job_id][-1].last
    for piece, heard in zip(listener.chunks[job_id], listener.samples(job_id), strict=True):
        assert np.array_equal(heard, audio[piece.first_sample : piece.first_sample + piece.frames])


async def test_a_subscription_during_a_nats_outage_gets_events_afterwards(
    isolated: System, nats_process: Broker
) -> None:
    server, _ = nats_process
    api = await isolated.gateway()
    job_id = await api.generate()
    server.kill()
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as socket:
        await socket.send_json({"type": "subscribe", "job_id": "gen_000000000000"})
        await eventually(lambda: _is_refused(api), "requests are refused")
        await server.start_again()
        frames = [await socket.receive_json(timeout=20) for _ in range(2)]
    assert {(frame["type"], frame["job_id"]) for frame in frames} == {("queued", job_id), ("error", "gen_000000000000")}


async def test_a_request_repeated_after_a_frozen_broker_makes_one_job(isolated: System, nats_process: Broker) -> None:
    server, _ = nats_process
    api = await isolated.gateway()
    headers = {"Idempotency-Key": "take-1"}
    server.freeze()
    async with api.http.post("/api/v1/generate", json={"prompt": "tone", "duration": 1.0}, headers=headers) as response:
        assert response.status == 503
    server.thaw()
    await api.until_ready()

    async def accepted() -> str | None:
        async with api.http.post(
            "/api/v1/generate", json={"prompt": "tone", "duration": 1.0}, headers=headers
        ) as again:
            return (await again.json())["job_id"] if again.status == 200 else None

    first = await eventually(accepted, "the repeated request is accepted")
    assert await accepted() == first
    async with api.http.get("/api/v1/jobs") as response:
        assert (await response.json())["total"] == 1


async def test_audio_finished_while_s3_is_down_is_uploaded_afterwards(
    nats_urls: dict[str, str], s3_process: Store
) -> None:
    server, environment = s3_process
    async with AsyncExitStack() as stack:
        system = System(nats_urls, environment, stack)
        api, _ = await system.gateway(), await system.worker()
        done = await api.generate(duration=0.5)
        await api.until(done, "completed")
        server.kill()
        job_id = await api.generate("tone", duration=0.5)

        async def waits() -> bool:
            return "waits for S3" in (await api.status(job_id))["message"]

        await eventually(waits, "the status says what it waits for")

        async def refused() -> bool:
            async with api.http.get(f"/api/v1/download/{done}", allow_redirects=False) as response:
                return response.status == 503 and "Retry-After" in response.headers

        async def degraded() -> bool:
            return bool((await api.health())["status"] == "degraded")

        await eventually(refused, "downloads are refused")
        await eventually(degraded, "the next look at S3 finds it away")
        await server.start_again()
        status = await api.until(job_id, "completed", timeout=60)
        assert status["attempts"] == 1
        assert status["timings"]["uploading"] > 1
        async with api.http.get(f"/api/v1/download/{job_id}?proxy=1") as response:
            assert response.status == 200


async def _readiness(api: Api) -> tuple[int, str]:
    async with api.http.get("/health/ready") as response:
        return response.status, (await response.json()).get("detail", "")


async def _until_not_ready(api: Api, words: str) -> None:
    """Return when the gateway is not ready for a reason with these words in it."""

    async def not_ready() -> bool:
        status, detail = await _readiness(api)
        return status == 503 and words in detail

    await eventually(not_ready, f"the gateway is not ready: {words}")
    async with api.http.get("/health/live") as response:
        assert response.status == 200
    assert (await api.health())["status"] == "unhealthy"


async def test_a_gateway_is_not_ready_while_the_audio_bucket_is_missing(
    nats_urls: dict[str, str], s3_process: Store
) -> None:
    async with AsyncExitStack() as stack:
        system = System(nats_urls, s3_process[1], stack)
        api, storage = await system.gateway(), system.storage()
        await asyncio.to_thread(storage._client.remove_bucket, storage.bucket)
        await _until_not_ready(api, f"S3 has no bucket {storage.bucket}")
        await asyncio.to_thread(storage._client.make_bucket, storage.bucket)
        await api.until_ready()
        assert (await api.health())["components"]["s3"]["status"] == "healthy"


async def test_a_gateway_stays_ready_while_s3_is_down(nats_urls: dict[str, str], s3_process: Store) -> None:
    """Jobs are accepted, and their audio waits."""
    server, environment = s3_process
    async with AsyncExitStack() as stack:
        api = await System(nats_urls, environment, stack).gateway()
        server.kill()

        async def degraded() -> bool:
            return bool((await api.health())["components"]["s3"]["status"] == "degraded")

        await eventually(degraded, "the gateway notices")
        assert await _readiness(api) == (200, "")


async def test_a_gateway_is_not_ready_while_nats_stores_nothing(system: System) -> None:
    """As when its disk is full: it answers every question, and refuses what is written."""
    api = await system.gateway()
    js = (await system.nats()).jetstream()
    bucket = (await js.stream_info(f"KV_{subjects.JOBS_BUCKET}")).config
    await js.update_stream(bucket.evolve(max_msg_size=1))
    await _until_not_ready(api, "NATS does not store what is written")
    await js.update_stream(bucket)
    await api.until_ready()


async def test_a_trial_write_creates_no_record(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    records = await system.records()
    for _ in range(3):
        await records.prove_writable()
    job_id = await api.generate(duration=0.5)
    await api.until(job_id, "completed")
    assert await system.recorded() == [job_id]
    async with api.http.get("/api/v1/jobs") as response:
        assert (await response.json())["total"] == 1
