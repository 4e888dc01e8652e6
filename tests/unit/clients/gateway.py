"""A gateway whose answers the test chooses, one after the other, and which records the requests."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.unit.clients.vectors import vectors

JOB = "gen_abc000000000"

Script = Callable[[web.WebSocketResponse], Awaitable[None]]


def view(**changes: Any) -> dict[str, Any]:
    """The status of a completed job."""
    body = next(each["body"] for each in vectors("answers") if each["name"].startswith("completed, of a model"))
    return {**body, "job_id": JOB, **changes}


def event(kind: str, seq: int, **changes: Any) -> dict[str, Any]:
    status = "processing" if kind == "progress" else kind
    (frame, *_) = (each["frame"] for each in vectors("frames"))
    return {**frame, "job_id": JOB, "type": kind, "seq": seq, "status": status, **changes}


class FakeGateway:
    """Answers each path with the next of its `answers`, and the last one again; a WebSocket runs its next script."""

    def __init__(self) -> None:
        self.answers: defaultdict[tuple[str, str], list[Callable[[], web.StreamResponse]]] = defaultdict(list)
        self.scripts: list[Script] = []
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self.subscriptions: list[dict[str, Any]] = []
        self.url = ""

    def answer(self, method: str, path: str, body: Any = None, **options: Any) -> None:
        """Add an answer: JSON, or bytes."""
        if isinstance(body, bytes):
            self.answers[method, path].append(lambda: web.Response(body=body, **options))
        else:
            self.answers[method, path].append(lambda: web.json_response(body, **options))

    def refuse(self, method: str, path: str, status: int, detail: str = "no", **options: Any) -> None:
        self.answer(method, path, {"title": "T", "status": status, "detail": detail}, status=status, **options)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/ws":
            return await self._socket(request)
        self.requests.append(request)
        self.bodies.append(json.loads(await request.text() or "null"))
        answers = self.answers[request.method, request.path]
        assert answers, f"unexpected: {request.method} {request.path}"
        return (answers.pop(0) if len(answers) > 1 else answers[0])()

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        script = self.scripts.pop(0)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.subscriptions.append(await socket.receive_json())
        await script(socket)
        assert request.transport is not None
        request.transport.abort()
        return socket

    def sends(self, *frames: dict[str, Any] | bytes, stays_open: bool = False) -> None:
        """Add a connection that sends these frames, and breaks off."""

        async def script(socket: web.WebSocketResponse) -> None:
            for frame in frames:
                await (socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_json(frame))
            if stays_open:
                await socket.receive()

        self.scripts.append(script)


@asynccontextmanager
async def fake_gateway() -> AsyncIterator[FakeGateway]:
    gateway = FakeGateway()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", gateway._handle)
    async with TestServer(app) as server:
        gateway.url = str(server.make_url("")).rstrip("/")
        yield gateway
