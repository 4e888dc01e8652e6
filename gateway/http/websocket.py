"""`/ws`: JSON text frames in and out, and audio out. Who does not read is closed and costs nobody else anything."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

import msgspec
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from gateway import metrics
from gateway.http.authentication import KEY_SUBPROTOCOL, SUBPROTOCOL, offered_protocols, owner_of
from gateway.http.connection import HttpProtocol
from gateway.http.cors import may_open_websocket
from gateway.http.requests import field_error, read_query
from gateway.live.audio_subscriptions import MAX_AUDIO_SUBSCRIPTIONS, AudioSubscriptions
from gateway.live.event_hub import EventSubscription
from gateway.live.messages import (
    ErrorMessage,
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
    decode_client_message,
    encode_message,
)
from gateway.live.outbox import AudioFrame, Outbox, OutboxFullError
from gateway.problems import Problem, too_many, unavailable
from gateway.schemas import SocketQuery
from gateway.services import SERVICES, Services
from shared.errors import UnavailableError
from shared.lifecycle import end
from shared.logs import get_logger

log = get_logger(__name__)

MAX_FRAME = 64 * 1024
MAX_SUBSCRIPTIONS = 1000
MAX_CONNECTIONS = 1000
SEND_TIMEOUT = 5.0
HEARTBEAT = 20.0
_CLOSE_TYPES = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)


class WebSocketSession:
    """One client: its subscriptions, and the frames that wait for it."""

    def __init__(self, services: Services, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._hub = services.hub
        self._jobs = services.jobs
        self._rate_limiter = services.rate_limiter
        self._viewer = owner_of(request)
        self._request = request
        self._socket = socket
        self._outbox = Outbox(services.outbox_memory)
        self._audio = AudioSubscriptions(services.bus, services.index, self._outbox)
        self._subscriptions: dict[str, EventSubscription] = {}

    async def run(self, query: SocketQuery) -> None:
        """Serve the client until it leaves, stops reading, or the gateway stops."""
        sender = asyncio.create_task(self._send())
        try:
            if query.job_id is not None:
                await self._subscribe(Subscribe(query.job_id, audio=query.audio))
            while (message := await self._receive()).type not in _CLOSE_TYPES:
                await self._throttle()
                if message.type is WSMsgType.TEXT:
                    await self._handle_text(message.data)
                elif message.type is WSMsgType.BINARY:
                    self._reply(ErrorMessage("Send JSON text frames; binary ones mean nothing here."))
                await asyncio.sleep(0)  # a flood of frames holds up no other client
        finally:
            for subscription in self._subscriptions.values():
                self._hub.unsubscribe(subscription)
            self._audio.stop()  # before the first await: aiohttp cancels the handler of a client that left
            try:
                await end((sender,))
                await self._audio.close()
            finally:
                self._outbox.clear()

    async def _receive(self) -> WSMessage:
        """The next frame. While it is awaited, none of those that were read is left to handle."""
        protocol = self._request.protocol
        if not isinstance(protocol, HttpProtocol):
            return await self._socket.receive()
        idle = asyncio.get_running_loop().call_soon(protocol.websocket_idle)
        try:
            return await self._socket.receive()
        finally:
            idle.cancel()  # it has run if the frame did not come at once
            protocol.websocket_busy()

    async def _throttle(self) -> None:
        """A frame counts as a request. One too many waits, and with it all that the client sends behind it."""
        while self._viewer is not None:
            wait = self._rate_limiter.take(self._viewer)
            if not wait:
                return
            await asyncio.sleep(wait)

    async def _handle_text(self, text: str) -> None:
        try:
            request = decode_client_message(text)
        except msgspec.ValidationError as error:
            problem = field_error(str(error))
            self._reply(ErrorMessage(f"{problem.field}: {problem.message}" if problem.field else problem.message))
            return
        except msgspec.DecodeError as error:
            self._reply(ErrorMessage(f"The frame is not valid JSON: {error}."))
            return
        match request:
            case Subscribe():
                await self._subscribe(request)
            case Unsubscribe(job_id=job_id):
                await self._unsubscribe(job_id)
            case Ping():
                self._reply(Pong())

    async def _subscribe(self, request: Subscribe) -> None:
        job_id = request.job_id
        await self._unsubscribe(job_id)
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            self._reply(ErrorMessage(f"At most {MAX_SUBSCRIPTIONS} subscriptions: unsubscribe finished jobs.", job_id))
            return
        subscription = await self._hub.subscribe(job_id, self._outbox, request.after_seq, self._viewer)
        if subscription is None:
            return
        self._subscriptions[job_id] = subscription
        if request.audio:
            await self._subscribe_audio(job_id)

    async def _subscribe_audio(self, job_id: str) -> None:
        """Audio begins only when it is known whose job that is. A subscription that waits for NATS does not know it."""
        try:
            await self._jobs.find(job_id, self._viewer)
        except (UnavailableError, Problem) as error:
            self._reply(ErrorMessage(f"It cannot be heard: {error} Subscribe again later.", job_id))
            return
        if not self._audio.start(job_id):
            complaint = (
                f"At most {MAX_AUDIO_SUBSCRIPTIONS} jobs are heard at a time: unsubscribe one. "
                "Its events come all the same."
            )
            self._reply(ErrorMessage(complaint, job_id))

    async def _unsubscribe(self, job_id: str) -> None:
        subscription = self._subscriptions.pop(job_id, None)
        if subscription is not None:
            self._hub.unsubscribe(subscription)
        await self._audio.close(job_id)

    def _reply(self, frame: ErrorMessage | Pong) -> None:
        self._outbox.put(encode_message(frame))

    async def _send(self) -> None:
        """Send what waits; when the client does not take it in time, cut the connection."""
        try:
            while True:
                await self._send_frame(await self._outbox.get())
        except (TimeoutError, OutboxFullError):
            log.info("websocket closed: the client does not read")
        except ConnectionError:
            pass  # it left; the reading side notices by itself
        # A closing handshake would wait for a client that does not read.
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _send_frame(self, frame: bytes | AudioFrame) -> None:
        """Send one frame. Where audio may be what is too much for the client, that goes first."""
        hears = bool(self._audio.running())
        audio_ends = asyncio.get_running_loop().call_later(SEND_TIMEOUT, self._shed_audio)
        try:
            # One timeout for both: a write that is cancelled cannot be waited for again.
            async with asyncio.timeout(2 * SEND_TIMEOUT if hears else SEND_TIMEOUT):
                if isinstance(frame, AudioFrame):
                    await self._socket.send_bytes(frame.data)
                else:
                    await self._socket.send_str(frame.decode())
        finally:
            audio_ends.cancel()

    def _shed_audio(self) -> None:
        for job_id in self._audio.stop():
            log.info("audio ended: the client reads too slowly", job_id=job_id)
            self._reply(ErrorMessage("You read too slowly to hear this job. Download it when it is done.", job_id))


async def websocket(request: web.Request) -> web.WebSocketResponse:
    """GET /ws; with `job_id=…` to follow a job at once, and with `audio=1` to hear it too."""
    query = read_query(request, SocketQuery)
    services = request.app[SERVICES]
    if len(services.websockets) >= MAX_CONNECTIONS:
        raise unavailable(f"This gateway holds {MAX_CONNECTIONS} WebSocket connections already.", retry_after=10)
    if not may_open_websocket(request):
        raise Problem(HTTPStatus.FORBIDDEN, f"Pages of {request.headers['Origin'][:100]!a} may not connect here.")
    _check_protocols(request)
    # Events are too short to be worth compressing, and audio does not get smaller.
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT, max_msg_size=MAX_FRAME, compress=False, protocols=(SUBPROTOCOL,)
    )
    if not socket.can_prepare(request).ok:
        raise Problem(HTTPStatus.UPGRADE_REQUIRED, "Open a WebSocket here.", headers={"Upgrade": "websocket"})
    with _per_client_limit(services, owner_of(request) or request.remote or ""):
        await socket.prepare(request)
        services.websockets.add(socket)
        metrics.WEBSOCKETS.inc()
        try:
            await WebSocketSession(services, request, socket).run(query)
        finally:
            services.websockets.discard(socket)
            metrics.WEBSOCKETS.dec()
    return socket


@contextmanager
def _per_client_limit(services: Services, client: str) -> Iterator[None]:
    """Count a connection of one client: the name of its key, or its address."""
    most = services.settings.gateway_websockets_per_client
    if services.websockets_by_client[client] >= most:
        raise too_many(f"{client} has {most} WebSocket connections, and one follows many jobs. Close some.", 10)
    services.websockets_by_client[client] += 1
    try:
        yield
    finally:
        services.websockets_by_client[client] -= 1
        if not services.websockets_by_client[client]:
            del services.websockets_by_client[client]


def _check_protocols(request: web.Request) -> None:
    """A browser drops a connection on which none of its subprotocols is spoken, and a key is no answer."""
    offered = offered_protocols(request)
    if SUBPROTOCOL not in offered and any(protocol.startswith(KEY_SUBPROTOCOL) for protocol in offered):
        raise Problem(HTTPStatus.BAD_REQUEST, f"Offer the subprotocol {SUBPROTOCOL} beside the one with the key.")


async def close_websockets(app: web.Application) -> None:
    """On shutdown: tell every client to come back later."""
    for socket in list(app[SERVICES].websockets):
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(SEND_TIMEOUT):
                await socket.close(code=WSCloseCode.GOING_AWAY, message=b"The gateway stops; reconnect.")
