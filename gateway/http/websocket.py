"""`/ws`: JSON text frames both ways, and audio to the client.

Slow clients are disconnected and do not affect others.
"""

import asyncio
from contextlib import suppress
from http import HTTPStatus

import msgspec
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from gateway import metrics
from gateway.http.authentication import KEY_SUBPROTOCOL, SUBPROTOCOL, offered_protocols, viewer_of
from gateway.http.connection import HttpProtocol
from gateway.http.cors import may_open_websocket
from gateway.http.live_connections import live_connection
from gateway.http.middleware import STAYS_OPEN
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
)
from gateway.live.outbox import AudioFrame, Outbox, OutboxFullError
from gateway.problems import Problem
from gateway.schemas import SocketQuery
from gateway.services import SERVICES, Services
from shared.errors import UnavailableError
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import encode

log = get_logger(__name__)

# Bytes of one frame from a client: a subscription takes far less.
MAX_CLIENT_FRAME = 64 * 1024
# Subscriptions of one connection: each costs memory.
MAX_SUBSCRIPTIONS = 1000
# Seconds for a client to take a frame before live audio is dropped, and again before the connection is aborted.
SEND_TIMEOUT = 5.0
# Bytes of a frame that fills no buffer when all earlier ones are sent. It cannot wait for the client, so it needs no
# timers, which cost a tenth of the time of an event.
AT_ONCE = 16 * 1024
# Seconds between pings, which detect dead connections and keep proxies from closing idle ones.
PING_INTERVAL = 20.0
_CLOSE_TYPES = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)


class WebSocketSession:
    """One client's connection: its subscriptions and its outbox."""

    def __init__(self, services: Services, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._hub = services.hub
        self._jobs = services.jobs
        self._rate_limiter = services.rate_limiter
        self._viewer = viewer_of(request)
        self._request = request
        self._socket = socket
        self._outbox = Outbox(services.outbox_memory)
        self._audio = AudioSubscriptions(services.bus, services.index, self._outbox)
        self._subscriptions: dict[str, EventSubscription] = {}

    async def run(self, query: SocketQuery) -> None:
        """Serve the client until it disconnects, is too slow, or the gateway stops."""
        sender = asyncio.create_task(self._send())
        try:
            if query.job_id is not None:
                await self._subscribe(Subscribe(query.job_id, audio=query.audio))
            while (message := await self._receive()).type not in _CLOSE_TYPES:
                await self._throttle()
                if message.type is WSMsgType.TEXT:
                    await self._handle_text(message.data)
                elif message.type is WSMsgType.BINARY:
                    self._reply(ErrorMessage("Send JSON text frames; binary frames are not supported."))
                await asyncio.sleep(0)  # yield, so that a flood of frames does not delay other clients
        finally:
            for subscription in self._subscriptions.values():
                self._hub.unsubscribe(subscription)
            self._audio.stop()  # before the first await: aiohttp cancels the handler of a disconnected client
            try:
                await end((sender,))
                await self._audio.close()
            finally:
                self._outbox.clear()

    async def _receive(self) -> WSMessage:
        """Wait for the next frame.

        If it has not arrived yet, all earlier ones are handled, so connection.py may stop counting them.
        """
        protocol = self._request.protocol
        if not isinstance(protocol, HttpProtocol):
            return await self._socket.receive()
        idle = asyncio.get_running_loop().call_soon(protocol.websocket_idle)
        try:
            return await self._socket.receive()
        finally:
            idle.cancel()  # it has run already unless the frame was there at once
            protocol.websocket_busy()

    async def _throttle(self) -> None:
        """Each frame counts as a request. Over the rate limit, wait: the client's later frames queue up behind."""
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
        """Start live audio if the client may see the job: a subscription made while NATS is away is not checked yet."""
        try:
            await self._jobs.find(job_id, self._viewer)
        except (UnavailableError, Problem) as error:
            self._reply(ErrorMessage(f"No live audio: {error} Subscribe again later.", job_id))
            return
        if not self._audio.start(job_id):
            detail = (
                f"Live audio is limited to {MAX_AUDIO_SUBSCRIPTIONS} jobs per connection: unsubscribe from one. "
                "This subscription delivers events only."
            )
            self._reply(ErrorMessage(detail, job_id))

    async def _unsubscribe(self, job_id: str) -> None:
        subscription = self._subscriptions.pop(job_id, None)
        if subscription is not None:
            self._hub.unsubscribe(subscription)
        await self._audio.close(job_id)

    def _reply(self, frame: ErrorMessage | Pong) -> None:
        self._outbox.put(encode(frame))

    async def _send(self) -> None:
        """Send queued frames. If the client does not read them in time, abort the connection."""
        try:
            while True:
                await self._send_frame(await self._outbox.get())
        except (TimeoutError, OutboxFullError):
            metrics.SLOW_WEBSOCKETS.inc()
            log.info("websocket closed: the client reads too slowly")
        except ConnectionError:
            pass  # disconnected; the reading side notices as well
        # A closing handshake would block on a client that does not read.
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _send_frame(self, frame: bytes | AudioFrame) -> None:
        """Send one frame. If that takes too long, first drop live audio, and only then time out."""
        if isinstance(frame, bytes) and len(frame) < AT_ONCE and self._all_is_sent():
            await self._socket.send_str(frame.decode())
            return
        has_audio = bool(self._audio.running())
        audio_timer = asyncio.get_running_loop().call_later(SEND_TIMEOUT, self._shed_audio)
        try:
            # One timeout for both steps: a cancelled write cannot be resumed.
            async with asyncio.timeout(2 * SEND_TIMEOUT if has_audio else SEND_TIMEOUT):
                if isinstance(frame, AudioFrame):
                    await self._socket.send_bytes(frame.data)
                else:
                    await self._socket.send_str(frame.decode())
        finally:
            audio_timer.cancel()

    def _all_is_sent(self) -> bool:
        transport = self._request.transport
        return transport is not None and transport.get_write_buffer_size() == 0

    def _shed_audio(self) -> None:
        for job_id in self._audio.stop():
            metrics.DROPPED_AUDIO.inc()
            log.info("live audio dropped: the client reads too slowly", job_id=job_id)
            detail = "Live audio stopped: you read too slowly. Download the job when it has completed."
            self._reply(ErrorMessage(detail, job_id))


async def websocket(request: web.Request) -> web.WebSocketResponse:
    """GET /ws; `job_id=…` subscribes to a job at once, and `audio=1` to its live audio too."""
    query = read_query(request, SocketQuery)
    services = request.app[SERVICES]
    _check_handshake(request)
    request[STAYS_OPEN] = True
    # No compression: events are short, and audio does not compress.
    socket = web.WebSocketResponse(
        heartbeat=PING_INTERVAL, max_msg_size=MAX_CLIENT_FRAME, compress=False, protocols=(SUBPROTOCOL,)
    )
    if not socket.can_prepare(request).ok:
        headers = {"Upgrade": "websocket"}
        raise Problem(HTTPStatus.UPGRADE_REQUIRED, "This path accepts WebSocket connections only.", headers=headers)
    with live_connection(request):
        await socket.prepare(request)
        services.websockets.add(socket)
        metrics.WEBSOCKETS.inc()
        try:
            await WebSocketSession(services, request, socket).run(query)
        finally:
            services.websockets.discard(socket)
            metrics.WEBSOCKETS.dec()
    return socket


def _check_handshake(request: web.Request) -> None:
    """Check the origin and the offered subprotocols.

    Raises:
        Problem: 403 or 400.
    """
    if not may_open_websocket(request):
        origin = request.headers["Origin"][:100]
        raise Problem(HTTPStatus.FORBIDDEN, f"Pages of {origin!a} may not connect. CORS_ORIGINS lists those that may.")
    # The key is no subprotocol to select, and a browser fails a handshake that selects none of its offers.
    offered = offered_protocols(request)
    if SUBPROTOCOL not in offered and any(protocol.startswith(KEY_SUBPROTOCOL) for protocol in offered):
        detail = f"Offer the subprotocol {SUBPROTOCOL} in addition to the one with the key."
        raise Problem(HTTPStatus.BAD_REQUEST, detail)


async def close_websockets(app: web.Application) -> None:
    """On shutdown, close all WebSockets with status 1001, going away."""
    for socket in list(app[SERVICES].websockets):
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(SEND_TIMEOUT):
                await socket.close(code=WSCloseCode.GOING_AWAY, message=b"The gateway is stopping; reconnect.")
