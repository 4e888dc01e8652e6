"""WebSocket frames and handshakes. Integration tests cover events and audio with a real broker."""

import asyncio
from typing import Any

import msgspec
import pytest
from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMsgType
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.websocket import MAX_CLIENT_FRAME, close_websockets
from gateway.live.messages import ClientMessage, Ping, Subscribe, Unsubscribe, decode_client_message
from gateway.services import Services
from tests.unit.gateway.conftest import Api


async def answer(socket: ClientWebSocketResponse) -> dict[str, Any]:
    body: dict[str, Any] = await socket.receive_json(timeout=2)
    return body


FRAMES = (
    st.builds(Subscribe, st.text(max_size=64), st.none() | st.integers(0, 2**63 - 1), st.booleans())
    | st.builds(Unsubscribe, st.text(max_size=64))
    | st.just(Ping())
)


@given(FRAMES)
def test_every_client_message_round_trips(frame: Subscribe | Unsubscribe | Ping) -> None:
    assert msgspec.json.decode(msgspec.json.encode(frame), type=ClientMessage) == frame


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"type": "subscribe", "job_id": "gen_1"}', Subscribe("gen_1")),
        ('{"job_id": "gen_1", "after_seq": 7, "type": "subscribe"}', Subscribe("gen_1", 7)),
        ('{"type": "subscribe", "job_id": "gen_1", "after_seq": null}', Subscribe("gen_1")),
        ('{"type": "subscribe", "job_id": "gen_1", "audio": true}', Subscribe("gen_1", audio=True)),
        ('{"type": "subscribe", "job_id": "gen_1", "audio": null, "after_seq": 7.0}', Subscribe("gen_1", 7)),
        ('\ufeff{"type": "ping"}', Ping()),
        ('{"type": "subscribe", "job_id": "gen_1", "audio": false}', Subscribe("gen_1")),
        ('{"type": "unsubscribe", "job_id": "gen_1"}', Unsubscribe("gen_1")),
        ('{"type": "ping"}', Ping()),
    ],
)
def test_the_frames_of_the_contract_are_decoded(text: str, frame: ClientMessage) -> None:
    assert decode_client_message(text) == frame


async def test_a_ping_gets_a_pong(api: Api) -> None:
    async with api.ws_connect("/ws") as socket:
        await socket.send_str('{"type": "ping"}')
        assert await answer(socket) == {"type": "pong"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "truncated"),
        ("ping", "malformed"),
        ("[]", "object"),
        ("{}", "type"),
        ('{"type": "sing"}', "sing"),
        ('{"type": "subscribe"}', "job_id"),
        ('{"type": "subscribe", "job_id": 1}', "job_id"),
        ('{"type": "subscribe", "job_id": "gen_1", "after_seq": -1}', "after_seq"),
        ('{"type": "subscribe", "job_id": "gen_1", "after": 1}', "after"),
        ('{"type": "subscribe", "job_id": "gen_1", "audio": 1}', "audio"),
        ('{"type": "subscribe", "job_id": "gen_1", "after_seq": 7.5}', "whole number"),
        ('{"type": "subscribe", "job_id": "gen_1", "after": null}', "after"),
        ('{"type": "subscribe", "job_id": null}', "job_id"),
        ('{"type": "subscribe", "job_id": "' + "x" * 65 + '"}', "job_id"),
        ("[" * (MAX_CLIENT_FRAME - 1), "nested too deeply"),
    ],
)
async def test_an_invalid_frame_gets_an_error_and_keeps_the_connection(api: Api, text: str, word: str) -> None:
    async with api.ws_connect("/ws") as socket:
        await socket.send_str(text)
        error = await answer(socket)
        assert error["type"] == "error"
        assert word in error["detail"]
        await socket.send_str('{"type": "ping"}')
        assert await answer(socket) == {"type": "pong"}


async def test_a_binary_frame_gets_an_error(api: Api) -> None:
    async with api.ws_connect("/ws") as socket:
        await socket.send_bytes(b'{"type": "ping"}')
        error = await answer(socket)
        assert error["type"] == "error"
        assert "text" in error["detail"]


async def test_a_frame_over_the_limit_closes_the_connection(api: Api) -> None:
    async with api.ws_connect("/ws") as socket:
        await socket.send_str(" " * (MAX_CLIENT_FRAME + 1))
        closed = await socket.receive(timeout=2)
        assert closed.type is WSMsgType.CLOSE
        assert closed.data == WSCloseCode.MESSAGE_TOO_BIG


@pytest.mark.parametrize("query", ["?job_id=gen_1", "?job_id=", "?job_id=" + "x" * 500])
async def test_a_malformed_job_id_is_an_unknown_job(api: Api, query: str) -> None:
    async with api.ws_connect("/ws" + query) as socket:
        assert (await answer(socket))["detail"] == "There is no such job."


async def test_unsubscribing_without_a_subscription_is_ignored(api: Api) -> None:
    async with api.ws_connect("/ws") as socket:
        await socket.send_str('{"type": "unsubscribe", "job_id": "gen_1"}')
        await socket.send_str('{"type": "ping"}')
        assert await answer(socket) == {"type": "pong"}


async def test_plain_http_is_a_426(api: Api) -> None:
    async with api.get("/ws") as response:
        assert response.status == 426
        assert response.headers["Upgrade"] == "websocket"


async def test_shutdown_closes_websockets_as_going_away(api: Api, services: Services) -> None:
    async with api.ws_connect("/ws") as socket:
        closing = asyncio.create_task(close_websockets(api.app))
        closed = await socket.receive(timeout=2)
        await closing
        assert (closed.type, closed.data) == (WSMsgType.CLOSE, WSCloseCode.GOING_AWAY)
    async with asyncio.timeout(2):
        while services.websockets:
            await asyncio.sleep(0.01)
