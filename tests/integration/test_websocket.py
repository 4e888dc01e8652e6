"""The WebSocket as clients use and misuse it."""

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest

from tests.integration.system import Api, System, eventually


async def receive(connection: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    async with asyncio.timeout(10):
        frame: dict[str, Any] = json.loads((await connection.receive()).data)
        return frame


async def test_a_subscription_starts_with_the_current_state(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate(duration=0.5)
    await api.until(job_id, "completed")
    async with api.http.ws_connect("/ws") as connection:
        await connection.send_json({"type": "subscribe", "job_id": job_id})
        state = await receive(connection)
    assert (state["type"], state["status"], state["progress"]) == ("completed", "completed", 1.0)
    assert state["audio_url"] == f"/api/v1/download/{job_id}"


async def test_a_reconnecting_client_misses_no_lifecycle_event(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate("slow", duration=0.8)
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as connection:
        first = await receive(connection)
    await system.worker()
    await api.until(job_id, "completed")
    async with api.http.ws_connect("/ws") as connection:
        await connection.send_json({"type": "subscribe", "job_id": job_id, "after_seq": first["seq"]})
        missed = [await receive(connection), await receive(connection)]
        assert [event["type"] for event in missed] == ["processing", "completed"]
        # Nothing missed: the present state alone.
        await connection.send_json({"type": "subscribe", "job_id": job_id, "after_seq": missed[-1]["seq"]})
        assert await receive(connection) == missed[-1]
        await connection.send_json({"type": "subscribe", "job_id": job_id, "after_seq": 0})
        assert [(await receive(connection))["type"] for _ in range(3)] == ["queued", "processing", "completed"]


async def test_a_last_seq_from_the_future_hides_no_event(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    async with api.http.ws_connect("/ws") as connection:
        await connection.send_json({"type": "subscribe", "job_id": job_id, "after_seq": 10**9})
        assert (await receive(connection))["type"] == "queued"
        await api.delete(job_id)
        assert (await receive(connection))["type"] == "cancelled"


async def test_unsubscribing_stops_the_events(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate("slow", duration=0.5)
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as connection:
        await receive(connection)
        await connection.send_json({"type": "unsubscribe", "job_id": job_id})
        await connection.send_json({"type": "ping"})
        assert (await receive(connection))["type"] == "pong"
        await api.delete(job_id)
        await connection.send_json({"type": "ping"})
        assert (await receive(connection))["type"] == "pong"
    assert not api.services.hub._by_job


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ('{"type": "dance"}', "Invalid value 'dance'"),
        ('{"type": "subscribe"}', "job_id"),
        ('{"type": "subscribe", "job_id": 5}', "job_id"),
        ('{"type": "subscribe", "job_id": "x", "colour": 1}', "colour"),
        ('{"type": "subscribe", "job_id": "gen_000000000000"}', "no such job"),
        ('{"type": "subscribe", "job_id": "a..b"}', "no such job"),
        ('{"type": "subscribe", "job_id": "*"}', "no such job"),
        ("[" * 50_000, ""),
    ],
)
async def test_a_bad_frame_gets_an_error_and_the_connection_stays_open(
    system: System, frame: str, complaint: str
) -> None:
    api = await system.gateway()
    async with api.http.ws_connect("/ws") as connection:
        await connection.send_str(frame)
        error = await receive(connection)
        assert error["type"] == "error"
        assert complaint in error["detail"]
        await connection.send_json({"type": "ping"})
        assert (await receive(connection))["type"] == "pong"


async def test_a_frame_of_70_kilobytes_closes_the_connection(system: System) -> None:
    api = await system.gateway()
    async with api.http.ws_connect("/ws") as connection:
        await connection.send_str("x" * 70_000)
        message = await connection.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


@pytest.mark.parametrize(("origin", "allowed"), [("http://evil.example", False), ("null", False), ("own", True)])
async def test_only_allowed_origins_may_connect(system: System, origin: str, allowed: bool) -> None:
    api = await system.gateway()
    headers = {"Origin": api.url if origin == "own" else origin}
    if allowed:
        async with api.http.ws_connect("/ws", headers=headers):
            return
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await api.http.ws_connect("/ws", headers=headers)
    assert refused.value.status == 403


async def test_a_foreign_message_on_the_event_subject_is_ignored(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    js = (await system.nats()).jetstream()
    await js.publish(f"music.events.{job_id}.failed", b"garbage")
    async with api.http.ws_connect("/ws") as connection:
        await connection.send_json({"type": "subscribe", "job_id": job_id, "after_seq": 0})
        assert (await receive(connection))["type"] == "queued"
        await js.publish(f"music.events.{job_id}.failed", b"\xff")
        await api.delete(job_id)
        assert (await receive(connection))["type"] == "cancelled"


async def test_a_plain_get_is_asked_to_upgrade(system: System) -> None:
    api = await system.gateway()
    async with api.http.get("/ws") as response:
        assert response.status == 426


async def test_a_client_that_never_reads_does_not_affect_others(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate("slow", duration=20)
    await api.until(job_id, "processing")
    deaf = await _deaf_client(api)
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as reader:
        await asyncio.to_thread(_flood, deaf)

        async def alone() -> bool:
            return len(api.services.websockets) == 1

        await eventually(alone, "the deaf client is cut off")
        kinds = [(await receive(reader))["type"] for _ in range(3)]
        assert "progress" in kinds
    deaf.close()


async def _deaf_client(api: Api) -> socket.socket:
    """A raw connection after the upgrade with the smallest receive buffer, from which the test never reads."""
    host, port = api.url.removeprefix("http://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    await asyncio.to_thread(connection.connect, (host, int(port)))
    connection.sendall(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return connection


def _flood(connection: socket.socket) -> None:
    """Ask for far more answers than its buffers hold: an unmasked-length frame of 100 bytes, many times."""
    text = b'{"type": "' + b"x" * 88 + b'"}'
    assert len(text) == 100
    frame = bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text
    connection.settimeout(30)
    try:
        for _ in range(60_000):
            connection.sendall(frame)
    except OSError:
        return  # cut off, as it should be
