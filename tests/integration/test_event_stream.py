"""Server-Sent Events, read by httpx-sse, and by a raw connection that reads nothing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest
from aiohttp import web
from httpx_sse import EventSource, ServerSentEvent, aconnect_sse

from gateway.http.handlers import event_stream
from gateway.http.live_connections import end_followers
from gateway.services import SERVICES
from shared import subjects
from tests.integration.system import Api, System, eventually, running_gateway

KEYS = {"API_KEYS": "daw:0123456789abcdef-daw,web:0123456789abcdef-web"}


@asynccontextmanager
async def opened(api: Api, job_id: str, last: int | None = None, key: str = "") -> AsyncIterator[EventSource]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx.AsyncClient(base_url=api.url, timeout=20) as http,
        aconnect_sse(http, "GET", f"/api/v1/jobs/{job_id}/events", headers=headers) as source,
    ):
        yield source


async def read_all(api: Api, job_id: str, last: int | None = None) -> list[ServerSentEvent]:
    async with opened(api, job_id, last) as source:
        return [event async for event in source.aiter_sse()]


def kinds(events: list[ServerSentEvent]) -> list[str]:
    """The types of lifecycle events, in order."""
    return [kind for event in events if (kind := event.json()["type"]) != "progress"]


async def test_a_stream_has_the_objects_of_the_websocket_and_ends_with_the_job(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate("slow", duration=0.8)
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as connection, opened(api, job_id) as source:
        reading = aiter(source.aiter_sse())
        events = [await anext(reading)]
        assert (await api.status(job_id))["links"]["events"] == f"/api/v1/jobs/{job_id}/events"
        await system.worker()
        events += [event async for event in reading]
        frames = [json.loads((await connection.receive(timeout=10)).data)]
        while frames[-1]["type"] != "completed":
            frames.append(json.loads((await connection.receive(timeout=10)).data))
    assert kinds(events) == ["queued", "processing", "completed"]
    assert {"progress"} <= {event.json()["type"] for event in events}
    assert [event.id for event in events] == [str(event.json()["seq"]) for event in events]
    # Both may skip progress that was overtaken by newer.
    sent = {frame["seq"]: frame for frame in frames}
    assert all(sent[each["seq"]] == each for event in events if (each := event.json())["seq"] in sent)
    assert {frame["seq"] for frame in frames if frame["type"] != "progress"} <= {
        event.json()["seq"] for event in events
    }


async def test_a_client_misses_no_lifecycle_event_while_its_gateway_restarts(system: System) -> None:
    async with running_gateway(system.settings("gateway")) as first:
        await first.until_ready()
        job_id = await first.generate("slow", duration=0.8)
        async with opened(first, job_id) as source:
            reading = aiter(source.aiter_sse())
            seen = [await anext(reading)]
            ended = asyncio.create_task(anext(reading, None))
            async with asyncio.timeout(10):
                await end_followers(app_of(first))
                assert await ended is None  # a stopping gateway ends the stream
    second, _ = await system.gateway(), await system.worker()
    await second.until(job_id, "completed")
    seen += await read_all(second, job_id, last=int(seen[-1].id))
    assert kinds(seen) == ["queued", "processing", "completed"]


def app_of(api: Api) -> web.Application:
    app = web.Application()
    app[SERVICES] = api.services
    return app


async def test_a_client_that_has_the_last_event_is_told_to_stop(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate(duration=0.5)
    await api.until(job_id, "completed")
    (only,) = await read_all(api, job_id)
    assert only.json()["type"] == "completed"
    assert kinds(await read_all(api, job_id, last=0)) == ["queued", "processing", "completed"]
    headers = {"Last-Event-ID": only.id}
    async with api.http.get(f"/api/v1/jobs/{job_id}/events", headers=headers) as response:
        assert response.status == 204


async def test_keys_are_checked_as_for_the_status(system: System) -> None:
    api = await system.gateway(**KEYS)
    daw, web = ({"Authorization": f"Bearer 0123456789abcdef-{name}"} for name in ("daw", "web"))
    job_id = await api.generate(headers=daw)
    path = f"/api/v1/jobs/{job_id}/events"
    async with api.http.get(path) as none, api.http.get(path, headers=web) as other:
        assert (none.status, other.status) == (401, 404)
    async with opened(api, job_id, key="0123456789abcdef-daw") as source:
        assert (await anext(aiter(source.aiter_sse()))).json()["type"] == "queued"


async def test_streams_count_among_the_connections_of_a_client(system: System) -> None:
    api = await system.gateway(GATEWAY_WEBSOCKETS_PER_CLIENT="2")
    job_id = await api.generate()
    path = f"/api/v1/jobs/{job_id}/events"
    async with api.http.ws_connect("/ws"), opened(api, job_id) as source:
        await anext(aiter(source.aiter_sse()))
        async with api.http.get(path) as third:
            assert third.status == 429
            assert "Retry-After" in third.headers

    async def freed() -> bool:
        return not api.services.live_connections and not api.services.followers and not api.services.hub._by_job

    await eventually(freed, "nothing is left of the connections")


async def test_comments_keep_an_idle_stream_open(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_INTERVAL", 0.05)
    api = await system.gateway()
    job_id = await api.generate()
    async with api.http.get(f"/api/v1/jobs/{job_id}/events") as response:
        assert response.content_type == "text/event-stream"
        lines = [await response.content.readline() for _ in range(9)]
    assert lines.count(b":\n") >= 2
    assert sum(line.startswith(b"data: ") for line in lines) == 1


async def test_an_event_of_several_lines_stays_one_event(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    async with opened(api, job_id) as source:
        reading = aiter(source.aiter_sse())
        state = (await anext(reading)).json()
        pretty = json.dumps(state | {"type": "processing", "seq": state["seq"] + 1}, indent=2)
        js = (await system.nats()).jetstream()
        await js.publish(subjects.event_subject(job_id, "processing"), pretty.encode())
        event = await anext(reading)
        assert event.json()["seq"] == state["seq"] + 1
        assert event.data.count("\n") > 5


async def test_a_client_that_never_reads_is_cut_off_and_costs_no_other_client(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "SEND_TIMEOUT", 0.3)
    api = await system.gateway()
    job_id = await api.generate()
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    host, port = api.url.removeprefix("http://").split(":")
    await asyncio.to_thread(deaf.connect, (host, int(port)))
    deaf.sendall(f"GET /api/v1/jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    async def connected() -> bool:
        return len(api.services.followers) == 1

    await eventually(connected, "the stream is open")
    async with opened(api, job_id) as source:
        reading = aiter(source.aiter_sse())
        state = (await anext(reading)).json()
        js, seq = (await system.nats()).jetstream(), state["seq"]

        async def one_is_left() -> bool:
            nonlocal seq
            for _ in range(20):
                seq += 1
                event = state | {"type": "processing", "seq": seq, "message": "x" * 50_000}
                await js.publish(subjects.event_subject(job_id, "processing"), json.dumps(event).encode())
                assert (await anext(reading)).json()["seq"] == seq
            return len(api.services.followers) == 1

        await eventually(one_is_left, "the deaf client is cut off")
    deaf.close()


@pytest.mark.parametrize("last", ["-1", "seven", "1" * 19, "1.5"])
async def test_a_last_event_id_that_no_event_has_is_named(system: System, last: str) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    async with api.http.get(f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": last}) as response:
        assert response.status == 422
        assert "Last-Event-ID" in (await response.json())["detail"]


async def test_an_unknown_job_is_a_404_and_head_is_refused(system: System) -> None:
    api = await system.gateway()
    async with aiohttp.ClientSession(api.url) as http:
        async with http.get("/api/v1/jobs/gen_000000000000/events") as unknown:
            assert unknown.status == 404
        async with http.head(f"/api/v1/jobs/{await api.generate()}/events") as head:
            assert head.status == 405
