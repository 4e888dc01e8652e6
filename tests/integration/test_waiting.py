"""Requests that wait for their job (Prefer), and jobs that end at a deadline (Cancel-After)."""

import asyncio
import time
from typing import Any

import aiohttp

from gateway.http.live_connections import end_followers
from tests.integration.system import Api, System, eventually, running_gateway
from tests.integration.test_event_stream import app_of
from tests.schema_check import errors_of


async def post(api: Api, prefer: str = "", **fields: Any) -> tuple[dict[str, Any], str | None]:
    """The answer to a request, and its Preference-Applied."""
    headers = {"Prefer": prefer} if prefer else {}
    body = {"prompt": "tone", "duration": 0.5, **fields}
    async with api.http.post("/api/v1/generate", json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        assert errors_of("JobAccepted", answer) == []
        return answer, response.headers.get("Preference-Applied")


async def test_a_waiting_request_gets_the_finished_status(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    answer, applied = await post(api, "wait=50")
    assert applied == "wait=50"
    assert (answer["status"], answer["audio_url"]) == ("completed", f"/api/v1/download/{answer['job_id']}")
    assert answer == await api.status(answer["job_id"])
    assert errors_of("JobView", answer) == []
    assert not api.services.live_connections
    assert not api.services.followers


async def test_a_waiting_request_for_takes_gets_all_of_them(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    answer, _ = await post(api, "wait=50", variations=3)
    assert len(answer["takes"]) == 3
    assert [(await api.status(take["job_id"]))["status"] for take in answer["takes"]] == ["completed"] * 3


async def test_without_a_wait_the_answer_is_as_before(system: System) -> None:
    api = await system.gateway()
    for prefer in ("", "respond-async", "wait=0", "wait=soon"):
        answer, applied = await post(api, prefer)
        assert (set(answer), applied) == ({"job_id", "status", "message", "created_at"}, None)


async def test_a_wait_that_is_over_or_ended_by_a_stop_tells_the_present_status(system: System) -> None:
    api = await system.gateway()
    answer, applied = await post(api, "wait=1")
    assert (answer["status"], answer["audio_url"], applied) == ("queued", None, "wait=1")
    waiting = asyncio.create_task(post(api, "wait=60"))

    async def is_waiting() -> bool:
        return bool(api.services.followers)

    await eventually(is_waiting, "the request waits")
    await end_followers(app_of(api))
    async with asyncio.timeout(10):
        answer, _ = await waiting
    assert answer["status"] == "queued"


async def test_at_the_limit_of_connections_the_answer_comes_at_once(system: System) -> None:
    api = await system.gateway(GATEWAY_WEBSOCKETS_PER_CLIENT="1")
    async with api.http.ws_connect("/ws"):
        answer, applied = await post(api, "wait=60")
    assert (set(answer), applied) == ({"job_id", "status", "message", "created_at"}, None)


async def test_a_client_that_leaves_while_it_waits_leaves_its_job(system: System) -> None:
    api = await system.gateway()
    async with aiohttp.ClientSession(api.url) as http:
        body = {"prompt": "tone", "duration": 0.5}
        waiting = asyncio.create_task(http.post("/api/v1/generate", json=body, headers={"Prefer": "wait=60"}))

        async def is_waiting() -> bool:
            return bool(api.services.followers)

        await eventually(is_waiting, "the request waits")
        waiting.cancel()

    async def is_free() -> bool:
        return not (api.services.followers or api.services.live_connections)

    await eventually(is_free, "nothing is left of the request")
    await system.worker()
    async with api.http.get("/api/v1/jobs") as response:
        (job,) = (await response.json())["jobs"]
    await api.until(job["job_id"], "completed")


async def test_a_job_is_cancelled_at_its_deadline_also_by_another_gateway(system: System) -> None:
    async with running_gateway(system.settings("gateway")) as first:
        await first.until_ready()
        job_id = await first.generate(headers={"Cancel-After": "1s"})
    second = await system.gateway()
    status = await second.until(job_id, "cancelled")
    assert "Cancel-After" in status["message"]
    assert status["cancel_at"] <= status["completed_at"]
    assert status["cancel_at"].endswith("Z")


async def test_a_running_job_frees_its_worker_at_its_deadline(system: System) -> None:
    api, _ = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="1")
    began = time.monotonic()
    late = await api.generate("slow", duration=60, headers={"Cancel-After": "1s"})
    other = await api.generate()
    assert (await api.until(late, "cancelled"))["started_at"] is not None
    await api.until(other, "completed")
    assert time.monotonic() - began < 60  # the audio takes longer than that to make


async def test_a_deadline_changes_nothing_about_a_job_that_ended_before(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    answer, _ = await post(api, "wait=50")
    finished = await api.generate(headers={"Cancel-After": "86400s"})
    done = await api.until(finished, "completed")
    assert done["cancel_at"] is not None
    assert answer["cancel_at"] is None
    assert api.services.index.unfinished() == []


async def test_a_malformed_deadline_accepts_nothing(system: System) -> None:
    api = await system.gateway()
    body, headers = {"prompt": "tone", "duration": 0.5}, {"Cancel-After": "soon"}
    async with api.http.post("/api/v1/generate", json=body, headers=headers) as response:
        assert response.status == 422
    assert await system.recorded() == []
