"""Live audio over the WebSocket. The test plays the worker and publishes the chunks."""

import asyncio
import json
import os
import re
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from gateway.live import audio_subscriptions
from shared import subjects
from shared.bus import flush
from shared.messages import JobStatus
from tests.conftest import ROOT
from tests.integration.live_audio import (
    chunk,
    consumer_count,
    publish_chunks,
    receive_chunks,
    receive_frame,
    start_processing,
    subscribe,
    until_consumers,
    update_record,
)
from tests.integration.system import System, eventually
from tests.records import ending


async def test_a_late_listener_gets_all_chunks_as_published(system: System) -> None:
    api, js, job_id = await start_processing(system)
    pieces = [chunk(job_id, seq, last=seq == 5) for seq in range(6)]
    await publish_chunks(js, job_id, *pieces[:2])
    async with api.http.ws_connect("/ws") as early, api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as other:
        await subscribe(early, job_id)
        assert await receive_chunks(early, 2) == await receive_chunks(other, 2) == pieces[:2]
        await publish_chunks(js, job_id, *pieces[2:4])
        assert await receive_chunks(early, 2) == pieces[2:4]
        async with api.http.ws_connect("/ws") as late:
            await subscribe(late, job_id)
            await publish_chunks(js, job_id, *pieces[4:])
            assert await receive_chunks(late, 6) == pieces
        assert await receive_chunks(early, 2) == pieces[4:]
        assert await receive_chunks(other, 4) == pieces[2:]


async def test_without_audio_subscribers_there_is_no_consumer(system: System) -> None:
    api, js, job_id = await start_processing(system)
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=0") as socket:
        await publish_chunks(js, job_id, chunk(job_id, 0))
        await socket.send_json({"type": "subscribe", "job_id": job_id, "audio": False})
        await socket.send_json({"type": "ping"})
        kinds = [json.loads((await socket.receive(timeout=5)).data)["type"] for _ in range(3)]
        assert kinds == ["processing", "processing", "pong"]
        assert await consumer_count(js) == 0


async def test_events_arrive_alongside_audio(system: System) -> None:
    api, js, job_id = await start_processing(system)
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=true") as socket:
        assert (await receive_frame(socket, "processing"))["job_id"] == job_id
        await publish_chunks(js, job_id, chunk(job_id, 0))
        assert await receive_chunks(socket, 1) == [chunk(job_id, 0)]
        await api.delete(job_id)
        assert (await receive_frame(socket, "cancelled"))["job_id"] == job_id


@pytest.mark.parametrize("end", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
async def test_the_consumer_is_removed_after_the_last_chunk(system: System, end: JobStatus) -> None:
    api, js, job_id = await start_processing(system)
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        await publish_chunks(js, job_id, chunk(job_id, 0))
        assert await receive_chunks(socket, 1) == [chunk(job_id, 0)]
        await until_consumers(js, 1)
        await update_record(js, job_id, **ending(end))
        await publish_chunks(js, job_id, chunk(job_id, 1, last=True))
        assert await receive_chunks(socket, 1) == [chunk(job_id, 1, last=True)]
        await until_consumers(js, 0)
        # The connection goes on, and what is still there can be heard again.
        await subscribe(socket, job_id)
        assert await receive_chunks(socket, 2) == [chunk(job_id, 0), chunk(job_id, 1, last=True)]
        await until_consumers(js, 0)


async def test_late_listeners_get_only_the_latest_attempt(system: System) -> None:
    api, js, job_id = await start_processing(system)
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        await publish_chunks(js, job_id, chunk(job_id, 0), chunk(job_id, 1))
        assert await receive_chunks(socket, 2) == [chunk(job_id, 0), chunk(job_id, 1)]
        await update_record(js, job_id, attempts=2)
        await publish_chunks(js, job_id, chunk(job_id, 0, attempt=2))
        assert await receive_chunks(socket, 1) == [chunk(job_id, 0, attempt=2)]

        async def known() -> bool:
            return bool((await api.status(job_id))["attempts"] == 2)

        await eventually(known, "the gateway knows of the attempt")
        async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as later:
            assert await receive_chunks(later, 1) == [chunk(job_id, 0, attempt=2)]


async def test_a_subscription_replaces_the_earlier_one(system: System) -> None:
    api, js, job_id = await start_processing(system)
    await publish_chunks(js, job_id, chunk(job_id, 0))
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        assert await receive_chunks(socket, 1) == [chunk(job_id, 0)]
        await subscribe(socket, job_id)
        assert await receive_chunks(socket, 1) == [chunk(job_id, 0)]
        assert await consumer_count(js) == 1
        await socket.send_json({"type": "subscribe", "job_id": job_id})
        await until_consumers(js, 0)


async def test_unsubscribing_or_disconnecting_removes_the_consumer(system: System) -> None:
    api, js, job_id = await start_processing(system)
    async with api.http.ws_connect("/ws") as socket:
        await subscribe(socket, job_id)
        await until_consumers(js, 1)
        await socket.send_json({"type": "unsubscribe", "job_id": job_id})
        await until_consumers(js, 0)
        await publish_chunks(js, job_id, chunk(job_id, 0))
        await socket.send_json({"type": "ping"})
        await receive_frame(socket, "pong")
        await subscribe(socket, job_id)
        await until_consumers(js, 1)
    await until_consumers(js, 0)
    dying = await api.http.ws_connect(f"/ws?job_id={job_id}&audio=1")
    await until_consumers(js, 1)
    transport = dying._response.connection.transport if dying._response.connection else None
    assert transport is not None
    transport.abort()
    await until_consumers(js, 0)


async def test_a_stopping_gateway_removes_its_consumers(
    nats_urls: dict[str, str], s3_environment: dict[str, dict[str, str]], system: System
) -> None:
    js = (await system.nats()).jetstream()
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as http:
        api, _, job_id = await start_processing(System(nats_urls, s3_environment, stack))
        socket = await http.ws_connect(f"{api.url}/ws?job_id={job_id}&audio=1")
        await until_consumers(js, 1)
        await stack.aclose()
        assert await consumer_count(js) == 0
        await socket.close()


async def test_an_unknown_job_is_an_error_and_creates_no_consumer(system: System) -> None:
    api, js, job_id = await start_processing(system)
    async with api.http.ws_connect("/ws") as socket:
        for unknown in ("gen_000000000000", "*", ">", "a.b"):
            await subscribe(socket, unknown)
            assert (await receive_frame(socket, "error"))["job_id"] == unknown
        assert await consumer_count(js) == 0
        await subscribe(socket, job_id)
        await publish_chunks(js, job_id, chunk(job_id, 0))
        assert await receive_chunks(socket, 1) == [chunk(job_id, 0)]


async def test_an_invalid_audio_query_is_refused(system: System) -> None:
    api, _, job_id = await start_processing(system)
    for query in (f"job_id={job_id}&audio=loud", f"job_id={job_id}&audio=1&audio=0"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await api.http.ws_connect(f"/ws?{query}")
        assert refused.value.status == 422


async def test_beyond_the_audio_limit_only_events_are_sent(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_subscriptions, "MAX_AUDIO_SUBSCRIPTIONS", 2)
    api, js, first = await start_processing(system)
    others = [await api.generate() for _ in range(2)]
    async with api.http.ws_connect("/ws") as socket:
        for job_id in (first, *others):
            await subscribe(socket, job_id)
        error = await receive_frame(socket, "error")
        assert error["job_id"] == others[1]
        assert "unsubscribe" in error["detail"]
        await until_consumers(js, 2)
        await api.delete(others[1])
        assert (await receive_frame(socket, "cancelled"))["job_id"] == others[1]
        await socket.send_json({"type": "unsubscribe", "job_id": others[0]})
        await subscribe(socket, first)
        await publish_chunks(js, first, chunk(first, 0))
        assert await receive_chunks(socket, 1) == [chunk(first, 0)]


@pytest.mark.parametrize("foreign", [b"", b"noise", b"\xff" * 100, chunk("gen_000000000000", 0)])
async def test_foreign_messages_on_the_audio_subject_are_dropped(system: System, foreign: bytes) -> None:
    api, js, job_id = await start_processing(system)
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        await publish_chunks(js, job_id, foreign, chunk(job_id, 0))
        assert await receive_chunks(socket, 1) == [chunk(job_id, 0)]


async def test_the_observer_can_read_and_not_publish(system: System) -> None:
    _, js, job_id = await start_processing(system)
    observer = await system.nats("observer")
    subscription = await observer.subscribe("music.audio.>")
    await flush(observer)
    await observer.publish(subjects.audio_subject(job_id), b"forged")
    await publish_chunks(js, job_id, chunk(job_id, 0))
    assert (await subscription.next_msg(timeout=5)).data == chunk(job_id, 0)


async def test_the_documented_example_saves_the_audio(system: System, tmp_path: Path) -> None:
    _, js, job_id = await start_processing(system)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "nats.md").read_text(), re.DOTALL)
    await publish_chunks(js, job_id, chunk(job_id, 0), chunk(job_id, 1), chunk(job_id, 2))
    saving = await asyncio.create_subprocess_exec(
        sys.executable, "-c", example, job_id, cwd=tmp_path, env=os.environ | {"NATS_URL": system.nats_urls["operator"]}
    )
    await until_consumers(js, 1)
    await publish_chunks(js, job_id, chunk(job_id, 0, attempt=2), chunk(job_id, 1, attempt=2, last=True))
    async with asyncio.timeout(20):
        assert await saving.wait() == 0
    assert (tmp_path / f"{job_id}.f32").read_bytes() == bytes(400) + b"\1" * 400
