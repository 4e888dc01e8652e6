"""Ownership of jobs: the key that made a job sees everything about it, other keys see nothing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest

from shared import subjects
from shared.audio_chunk import AudioChunk, pack_chunk
from tests.integration.jobs import plant_finished
from tests.integration.system import Api, System, eventually
from tests.unit.gateway.samples import DAW, WEB, bearer

KEYS = f"daw:{DAW},web:{WEB}"


class Two(NamedTuple):
    """One gateway, with the one key and with the other."""

    daw: Api
    web: Api


def session(api: Api, key: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(api.url, headers=bearer(key))


@pytest.fixture
async def two(system: System) -> AsyncIterator[Two]:
    api = await system.gateway(API_KEYS=KEYS)
    async with session(api, DAW) as daw, session(api, WEB) as web:
        yield Two(Api(api.url, api.services, daw), Api(api.url, api.services, web))


async def receive(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    frame: dict[str, Any] = await socket.receive_json(timeout=10)
    return frame


async def answers(api: Api, job_id: str) -> list[tuple[int, str]]:
    """What every operation on a job answers, with its id left out."""
    found = []
    for method, path in (
        ("GET", "status/{}"),
        ("GET", "download/{}"),
        ("HEAD", "download/{}"),
        ("GET", "download/{}?proxy=1"),
        ("GET", "download/{}/audio.mid"),
        ("DELETE", "jobs/{}"),
        ("DELETE", "jobs/{}?keep=1"),
    ):
        async with api.http.request(method, f"/api/v1/{path.format(job_id)}") as response:
            detail = (await response.json())["detail"] if method != "HEAD" else ""
            found.append((response.status, detail.replace(job_id, "ID")))
    return found


async def listed(api: Api) -> tuple[list[str], int]:
    async with api.http.get("/api/v1/jobs") as response:
        body = await response.json()
        return [job["job_id"] for job in body["jobs"]], body["total"]


async def test_the_job_of_another_key_is_a_404(system: System, two: Two) -> None:
    await system.worker()
    job_id = await two.daw.generate(duration=0.5)
    await two.daw.until(job_id, "completed")
    unknown = await answers(two.web, "gen_000000000000")
    assert {status for status, _ in unknown} == {404}
    assert await answers(two.web, job_id) == unknown
    assert await listed(two.web) == ([], 0)
    assert await listed(two.daw) == ([job_id], 1)
    assert len(await two.daw.download(job_id)) > 44


async def test_the_cache_never_serves_the_audio_of_another_key(system: System, two: Two) -> None:
    await system.worker()
    jobs, cached = [], []
    for api in (two.daw, two.web, two.web):
        jobs.append(await api.generate(duration=0.5, seed=7))
        cached.append((await api.until(jobs[-1], "completed"))["cached"])
    assert cached == [False, False, True]
    records = [await (await system.records()).get(job_id) for job_id in jobs]
    assert [entry.record.source for entry in records if entry] == [None, None, jobs[1]]


async def test_a_gateway_started_later_knows_the_owners(system: System, two: Two) -> None:
    job_id = await two.daw.generate()
    later = await system.gateway(API_KEYS=KEYS)
    async with session(later, WEB) as web, session(later, DAW) as daw:
        async with web.get(f"/api/v1/status/{job_id}") as response:
            assert response.status == 404
        async with daw.get(f"/api/v1/status/{job_id}") as response:
            assert response.status == 200


async def test_the_record_holds_the_name_of_the_key_and_not_the_key(system: System, two: Two) -> None:
    job_id = await two.daw.generate()
    bucket = await (await system.nats()).jetstream().key_value(subjects.JOBS_BUCKET)
    value = (await bucket.get(job_id)).value or b""
    assert b'"owner":"daw"' in value
    assert DAW.encode() not in value


async def test_jobs_without_an_owner_are_visible_only_without_keys(system: System) -> None:
    open_one, keyed = await system.gateway(), await system.gateway(API_KEYS=KEYS)
    before = await open_one.generate()
    async with session(keyed, DAW) as http:
        daw = Api(keyed.url, keyed.services, http)
        assert {status for status, _ in await answers(daw, before)} == {404}
        await open_one.until(await daw.generate(), "queued")


@pytest.mark.parametrize("after", ["", ', "after_seq": 0'])
async def test_a_subscription_to_the_job_of_another_key_gets_nothing(system: System, two: Two, after: str) -> None:
    job_id, own = await two.daw.generate(), await two.web.generate()
    js = (await system.nats()).jetstream()
    header = AudioChunk(job_id=job_id, seq=0, attempt=1, first_sample=0, frames=1, sample_rate=32_000, channels=1)
    await js.publish(subjects.audio_subject(job_id), pack_chunk(header, bytes(4)))
    async with two.web.http.ws_connect("/ws") as socket:
        for audio in ("true", "false"):
            await socket.send_str(f'{{"type": "subscribe", "job_id": "{job_id}", "audio": {audio}{after}}}')
            error = {"type": "error", "detail": "There is no such job.", "job_id": job_id}
            assert await receive(socket) == error
        await two.daw.delete(job_id)
        await socket.send_json({"type": "subscribe", "job_id": own})
        assert (await receive(socket))["job_id"] == own
    assert not two.web.services.hub._lagging


async def test_the_owner_can_follow_and_cancel_the_job(two: Two) -> None:
    job_id = await two.daw.generate()
    async with two.daw.http.ws_connect(f"/ws?job_id={job_id}") as socket:
        assert (await receive(socket))["type"] == "queued"
        assert await two.daw.delete(job_id) == 200
        assert (await receive(socket))["type"] == "cancelled"


async def test_an_idempotency_key_belongs_to_its_api_key(two: Two) -> None:
    headers = {"Idempotency-Key": "take-1"}
    jobs = await asyncio.gather(*(api.generate(headers=headers, seed=1) for api in (*two, *two)))
    assert jobs[:2] == jobs[2:]
    assert len(set(jobs)) == 2
    assert [await listed(api) for api in two] == [([jobs[0]], 1), ([jobs[1]], 1)]


async def test_a_full_queue_of_one_key_is_a_429_for_that_key_alone(system: System) -> None:
    api = await system.gateway(API_KEYS=KEYS, KEY_QUEUED_JOBS="3")
    async with session(api, DAW) as http, session(api, WEB) as other:

        async def post(headers: dict[str, str]) -> int:
            async with http.post("/api/v1/generate", json={"prompt": "tone", "seed": 1}, headers=headers) as response:
                if response.status == 429:
                    assert response.content_type == "application/problem+json"
                    assert int(response.headers["Retry-After"]) > 0
                return response.status

        takes = [{"Idempotency-Key": f"take-{number}"} for number in range(8)]
        statuses = await asyncio.gather(*map(post, takes))
        assert sorted(statuses) == [200] * 3 + [429] * 5
        again = await asyncio.gather(*map(post, takes))
        assert again == statuses
        assert await listed(Api(api.url, api.services, other)) == ([], 0)
        await Api(api.url, api.services, other).generate()


@pytest.mark.parametrize(
    ("limit", "reached"), [("KEY_QUEUED_JOBS=1", "jobs in the queue"), ("KEY_DAILY_SECONDS=2.5", "seconds of audio")]
)
async def test_a_cached_answer_counts_only_against_the_request_rate(system: System, limit: str, reached: str) -> None:
    name, _, value = limit.partition("=")
    gateway = await system.gateway(API_KEYS=KEYS, KEY_RATE="0.1", KEY_BURST="5", **{name: value})
    stored = await plant_finished(system, owner="daw")  # of today, and one second long

    async def known() -> bool:
        return gateway.services.index.record(stored) is not None

    await eventually(known, "the gateway knows")
    async with session(gateway, DAW) as http:

        async def post(seed: int | None, **fields: Any) -> tuple[int, str]:
            body = {"prompt": "tone", "duration": 1.0, "seed": seed, "outputs": ["midi"]} | fields
            async with http.post("/api/v1/generate", json=body) as response:
                answer = await response.json()
                return response.status, str(answer.get("detail") or answer["status"])

        assert await post(7) == (200, "completed")
        assert await post(8) == (200, "queued")
        status, why = await post(9)
        assert (status, reached in why) == (429, True)
        assert await post(7) == (200, "completed")
        assert await post(None, cache=True) == (200, "completed")
        status, why = await post(7)
        assert (status, "request rate limit" in why) == (429, True)
