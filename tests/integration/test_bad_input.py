"""Invalid input on a real gateway, broker and store: it is refused and affects no other client."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, FormData
from yarl import URL

from shared import subjects
from tests.integration.system import Api, System

NOWHERE = (
    "http://127.0.0.1:8222/varz",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://2130706433/",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
)
BODIES = [
    '{"prompt": "a", "duration": NaN}',
    '{"prompt": "a", "duration": 1e308}',
    '{"prompt": "a", "duration": -1e308}',
    '{"prompt": "a", "seed": -1}',
    '{"prompt": "a", "seed": 1e300}',
    f'{{"prompt": "a", "seed": {"9" * 4000}}}',
    '{"prompt": ' + "[" * 30_000 + "]" * 30_000 + "}",
    '{"prompt": "\\ud800"}',
    '{"prompt": "a\\u0000b"}',
    '{"components": {"custom_text": "a\\u0000b"}}',
    '{"prompt": "' + "x" * 1_000_000 + '"}',
    '{"prompt": "a", "prompt": "b", "model": "*"}',
    '{"prompt": "a", "model": "music.jobs.>"}',
    '{"prompt": "a", "model": "../../etc/passwd"}',
    # Nothing here fetches what a client names, so there is no such field.
    *(f'{{"prompt": "a", "{field}": "{url}"}}' for field in ("webhook_url", "audio_url") for url in NOWHERE),
]
IDS = [
    "..", "%2e%2e", "a..b", "*", ">", "gen_*", "gen_>", "gen_0000 0000000", "a%2F%2Fb", "a%5Cb", "%00",
    "gen_000000000000%0A", "gen_000000000000%0D%0AX:1", "gen_00000000000%D9%A0", "GEN_000000000000", "g" * 1025,
]  # fmt: skip
ROUTES = [
    ("GET", "/api/v1/status/{}"),
    ("GET", "/api/v1/download/{}"),
    ("GET", "/api/v1/download/{}?proxy=1"),
    ("GET", "/api/v1/download/{}/audio.mid"),
    ("DELETE", "/api/v1/jobs/{}"),
    ("DELETE", "/api/v1/jobs/{}?keep=1"),
]


async def stored(system: System) -> tuple[int, int]:
    """How many messages the queue has, and how many jobs are on record."""
    js = (await system.nats()).jetstream()
    return (await js.stream_info(subjects.JOBS_STREAM)).state.messages, len(await system.recorded())


async def is_well(api: Api) -> bool:
    async with api.http.get("/health/ready") as response:
        return response.status == 200


async def test_a_bad_body_is_a_4xx_and_reaches_neither_queue_nor_records(system: System) -> None:
    api, wrong = await system.gateway(), []
    for body in BODIES:
        headers = {"Content-Type": "application/json"}
        async with api.http.post("/api/v1/generate", data=body.encode(), headers=headers) as response:
            if response.status not in (400, 413, 422) or response.content_type != "application/problem+json":
                wrong.append((body[:80], response.status))
    assert wrong == []
    assert await stored(system) == (0, 0)
    assert await is_well(api)


async def test_thousands_of_form_fields_are_refused(system: System) -> None:
    api = await system.gateway()
    form = FormData([(f"field{number}", "x") for number in range(5000)], default_to_multipart=True)
    async with api.http.post("/api/v1/generate", data=form()) as response:
        assert response.status == 415
    assert await is_well(api)


async def test_a_malformed_job_id_is_not_found_on_every_route(system: System) -> None:
    api, wrong = await system.gateway(), []
    for job_id in IDS:
        for method, path in ROUTES:
            url = URL(api.url + path.format(job_id), encoded=True)
            async with api.http.request(method, url, allow_redirects=False) as response:
                if response.status not in (400, 404):
                    wrong.append((method, str(url), response.status))
    assert wrong == []
    async with api.http.ws_connect("/ws") as socket:
        for job_id in IDS:
            await socket.send_json({"type": "subscribe", "job_id": job_id[:64], "audio": True, "after_seq": 0})
            assert (await answer(socket))["detail"] == "There is no such job."
    assert await is_well(api)


async def test_a_request_hidden_behind_an_upgrade_is_not_read(system: System) -> None:
    api = await system.gateway()
    smuggled = f"DELETE /api/v1/jobs/{await api.generate()} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n"
    head = "GET /ws HTTP/1.1\r\nHost: localhost\r\n" + upgrade.format("dGhlIHNhbXBsZSBub25jZQ==")
    url = URL(api.url)
    for length in ("", f"Content-Length: {len(smuggled)}\r\n", "Transfer-Encoding: chunked\r\n"):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(f"{head}{length}\r\n{smuggled}".encode())
        writer.write_eof()
        async with asyncio.timeout(20):
            answers = await reader.read()
        writer.close()
        assert answers.count(b"HTTP/1.") <= 1
        assert b"cancelled" not in answers
    assert await stored(system) == (1, 1)


async def test_concurrent_requests_with_one_idempotency_key_make_one_job(system: System) -> None:
    api = await system.gateway()
    headers = {"Idempotency-Key": "take-1"}
    jobs = await asyncio.gather(*(api.generate(headers=headers, seed=1) for _ in range(30)))
    assert len(set(jobs)) == 1
    async with api.http.post("/api/v1/generate", json={"prompt": "another"}, headers=headers) as response:
        assert response.status == 422
    assert await stored(system) == (1, 1)


async def test_ten_thousand_subscriptions_are_refused_without_affecting_others(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.websocket.MAX_SUBSCRIPTIONS", 3)
    api = await system.gateway()
    jobs = [await api.generate() for _ in range(4)]
    async with api.http.ws_connect("/ws") as socket, api.http.ws_connect(f"/ws?job_id={jobs[0]}") as other:
        for job_id in jobs[:3]:
            await socket.send_json({"type": "subscribe", "job_id": job_id})
            assert (await answer(socket))["type"] == "queued"
        await socket.send_json({"type": "subscribe", "job_id": jobs[3]})
        assert (await answer(socket))["detail"] == "At most 3 subscriptions: unsubscribe finished jobs."
        with suppress(ConnectionError):  # who asks without reading the answers is cut off
            for number in range(10_000):
                await socket.send_str(f'{{"type": "subscribe", "job_id": "{jobs[3]}", "after_seq": {number}}}')
        assert (await answer(other))["type"] == "queued"
        await other.send_json({"type": "ping"})
        assert (await answer(other))["type"] == "pong"
    assert len(api.services.hub._by_job) <= len(jobs)


async def answer(socket: ClientWebSocketResponse) -> dict[str, Any]:
    frame: dict[str, Any] = await socket.receive_json(timeout=10)
    return frame
