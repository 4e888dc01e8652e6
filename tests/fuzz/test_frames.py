"""Frames of any kind on the WebSocket of a running gateway."""

import asyncio
import json
from contextlib import ExitStack
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.audio_chunk import unpack_chunk
from tests.fuzz.conftest import Served
from tests.fuzz.test_targets import edited, refilled
from tests.fuzz.wire import FRAMES

OBJECTS: list[dict[str, Any]] = [json.loads(frame) for frame in FRAMES]
ANYTHING = edited(FRAMES) | refilled(OBJECTS) | st.binary(max_size=300) | st.text(max_size=300)


class Client:
    """A WebSocket that is opened again when the gateway closes it."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def tell(self, frame: bytes | str) -> None:
        """Send a frame; then the gateway answers a ping, and what it says before is audio or JSON of a known type."""
        if self._socket is None or self._socket.closed:
            self._socket = await self._http.ws_connect(f"{self._url}/ws")
        await (self._socket.send_str(frame) if isinstance(frame, str) else self._socket.send_bytes(frame))
        await self._socket.send_str('{"type": "ping"}')
        while (message := await self._socket.receive(timeout=10)).type is not aiohttp.WSMsgType.CLOSE:
            if message.type is aiohttp.WSMsgType.BINARY:
                unpack_chunk(message.data)
                continue
            answer = message.json()
            if answer == {"type": "pong"}:
                return
            assert answer["type"] == "error" or "seq" in answer


@pytest.mark.timeout(600)
def test_the_gateway_survives_any_frame(served: Served, inputs: int) -> None:
    job = {"type": "subscribe", "job_id": served.job_id}
    with asyncio.Runner() as runner, ExitStack() as stack:
        http = runner.run(_session())
        stack.callback(lambda: runner.run(http.close()))
        client = Client(served.url, http)

        @settings(max_examples=inputs, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(ANYTHING | refilled([job | {"after_seq": 0, "audio": True}]), st.booleans())
        def tell(frame: bytes | str, as_text: bool) -> None:
            runner.run(client.tell(frame.decode(errors="replace") if as_text and isinstance(frame, bytes) else frame))

        tell()
    assert served.http.get(f"{served.url}/health/live", timeout=10).status_code == 200


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()
