"""`/ws`: JSON text frames in and out. A client that does not read is closed and costs nobody else anything."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from gateway import metrics
from gateway.event_hub import EventHub, Subscription
from gateway.frames import ErrorFrame, Ping, Pong, Subscribe, Unsubscribe, decode_request, encode_frame
from gateway.outbox import Outbox, OutboxFullError
from gateway.problems import Problem, unavailable
from gateway.services import SERVICES
from gateway.validation import field_error
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import UNDECODABLE

log = get_logger(__name__)

MAX_FRAME = 64 * 1024
MAX_SUBSCRIPTIONS = 1000
MAX_CONNECTIONS = 1000
SEND_TIMEOUT = 5.0
HEARTBEAT = 20.0


class Connection:
    """One client: its subscriptions, and the frames that wait for it."""

    def __init__(self, hub: EventHub, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._hub = hub
        self._request = request
        self._socket = socket
        self._outbox = Outbox()
        self._subscriptions: dict[str, Subscription] = {}

    async def run(self, job_id: str | None) -> None:
        """Serve the client until it leaves, stops reading, or the gateway stops."""
        sender = asyncio.create_task(self._send())
        try:
            if job_id is not None:
                await self._subscribe(Subscribe(job_id))
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._receive(message.data)
                elif message.type is WSMsgType.BINARY:
                    self._reply(ErrorFrame("Send JSON text frames; binary ones mean nothing here."))
        finally:
            for subscription in self._subscriptions.values():
                self._hub.unsubscribe(subscription)
            await end((sender,))

    async def _receive(self, text: str) -> None:
        try:
            request = decode_request(text)
        except UNDECODABLE as error:
            problem = field_error(str(error))
            self._reply(ErrorFrame(f"{problem.field}: {problem.message}" if problem.field else problem.message))
            return
        match request:
            case Subscribe():
                await self._subscribe(request)
            case Unsubscribe(job_id=job_id):
                subscription = self._subscriptions.pop(job_id, None)
                if subscription:
                    self._hub.unsubscribe(subscription)
            case Ping():
                self._reply(Pong())

    async def _subscribe(self, request: Subscribe) -> None:
        job_id = request.job_id
        old = self._subscriptions.pop(job_id, None)
        if old is not None:
            self._hub.unsubscribe(old)
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            self._reply(ErrorFrame(f"At most {MAX_SUBSCRIPTIONS} subscriptions: unsubscribe finished jobs.", job_id))
            return
        subscription = await self._hub.subscribe(job_id, self._outbox, request.after_seq)
        if subscription is not None:
            self._subscriptions[job_id] = subscription

    def _reply(self, frame: ErrorFrame | Pong) -> None:
        self._outbox.put(encode_frame(frame))

    async def _send(self) -> None:
        """Send what waits; when the client does not take it in time, cut the connection."""
        try:
            while True:
                frame = await self._outbox.get()
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self._socket.send_str(frame.decode())
        except (TimeoutError, OutboxFullError):
            log.info("websocket closed: the client does not read")
        except ConnectionError:
            pass  # it left; the reading side notices by itself
        # A closing handshake would wait for a client that does not read.
        if self._request.transport is not None:
            self._request.transport.abort()


async def websocket(request: web.Request) -> web.WebSocketResponse:
    """GET /ws, and /ws?job_id=… to follow a job at once."""
    services = request.app[SERVICES]
    if len(services.sockets) >= MAX_CONNECTIONS:
        raise unavailable(f"This gateway holds {MAX_CONNECTIONS} WebSocket connections already.", retry_after=10)
    _check_origin(request)
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=MAX_FRAME)
    if not socket.can_prepare(request).ok:
        raise Problem(HTTPStatus.UPGRADE_REQUIRED, "Open a WebSocket here.", headers={"Upgrade": "websocket"})
    await socket.prepare(request)
    services.sockets.add(socket)
    metrics.WEBSOCKETS.inc()
    try:
        await Connection(services.hub, request, socket).run(request.query.get("job_id"))
    finally:
        services.sockets.discard(socket)
        metrics.WEBSOCKETS.dec()
    return socket


def _check_origin(request: web.Request) -> None:
    """Browsers let any page open a WebSocket to us and say which one it is; other programs send no Origin."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Problem(HTTPStatus.FORBIDDEN, f"Pages of {origin[:100]} may not connect here.")


async def close_all(app: web.Application) -> None:
    """On shutdown: tell every client to come back later."""
    for socket in list(app[SERVICES].sockets):
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(SEND_TIMEOUT):
                await socket.close(code=WSCloseCode.GOING_AWAY, message=b"The gateway stops; reconnect.")
