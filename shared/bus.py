"""The connection to NATS: opened in the background and reopened whenever it is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from nats.js import JetStreamContext
from prometheus_client import Counter

from shared.errors import MusicgenError, UnavailableError
from shared.lifecycle import end
from shared.logs import get_logger
from shared.nats_servers import parse_servers

log = get_logger(__name__)

# Seconds after which a JetStream request counts as unanswered and the broker as away.
REQUEST_TIMEOUT = 2.0
# Seconds that closing may take: nats-py waits forever for a frozen broker to read pending data.
CLOSING = 2.0

# JetStream's error codes for a publish that expected another last sequence: a compare-and-set that lost.
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})

# What nats-py raises when the broker is away, slow or restarting.
AWAY = (
    nats.errors.TimeoutError,
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.NoRespondersError,
    nats.errors.OutboundBufferLimitError,
    nats.js.errors.NoStreamResponseError,
    nats.js.errors.ServiceUnavailableError,
    nats.js.errors.ServerError,  # a cluster that is electing a leader
    ConnectionError,
)

RECONNECTS = Counter("musicgen_nats_reconnects", "Times that a lost connection to NATS was reopened")

Listener = Callable[[], Awaitable[None]]


class _Transport(TcpTransport):
    """A transport with bounded closing: nats-py waits forever for a connection whose TLS handshake failed."""

    def __bool__(self) -> bool:
        return True  # otherwise nats-py replaces a transport that is not connected yet

    async def wait_closed(self) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await super().wait_closed()  # type: ignore[no-untyped-call]
        finally:
            if self._bare_io_writer is not None:
                self._bare_io_writer.transport.abort()


class Bus:
    """A NATS client that reconnects forever."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=REQUEST_TIMEOUT)
        self.last_error: str | None = "not connected yet"
        self._listeners: list[Listener] = []
        self._connected = asyncio.Event()
        self._prepared = False
        self._closed = asyncio.Event()
        self.was_started = False

    @property
    def is_ready(self) -> bool:
        """Whether the client is connected and every listener has succeeded."""
        return self._prepared and self.client.is_connected

    def on_connect(self, listener: Listener) -> None:
        """Call `listener` after the first connection and every reconnection, in order of registration."""
        self._listeners.append(listener)

    def require(self) -> JetStreamContext:
        """The JetStream context, if NATS is connected. nats-py would buffer a publish and send it much later.

        Raises:
            UnavailableError: while NATS is away.
        """
        if not self.is_ready:
            raise UnavailableError(
                f"NATS is away ({self.last_error or 'reconnecting'}); reconnecting continues in the background."
            )
        return self.js

    async def run(self, url: str, name: str) -> None:
        """Connect; after each connection, call the listeners until they succeed. Runs until cancelled.

        Args:
            url: as in `NATS_URL`. With `tls://`, TLS starts first and OpenSSL must trust the certificate.
            name: shown in the broker's monitoring.

        Raises:
            MusicgenError: from a listener, if a retry cannot help.
        """
        self.was_started = True
        await self.client.connect(
            **parse_servers(url).connect_options(self.client),
            name=name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,  # type: ignore[arg-type]  # seconds; nats-py sleeps on it
            connect_timeout=2,
            # After three unanswered pings the client moves to another server of the cluster.
            ping_interval=3,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
            closed_cb=self._on_closed,
        )
        self._connected.set()
        while True:
            await self._connected.wait()
            self._connected.clear()
            if self._closed.is_set():
                # nats-py closes for good after errors that it considers fatal; only a new process can reconnect.
                raise MusicgenError(f"The NATS connection was closed for good: {self.last_error}. Start again.")
            await self._prepare()

    def refresh(self) -> None:
        """Call the listeners again, because something that they created is missing."""
        if self.client.is_connected and self._prepared:
            self._prepared = False
            self._connected.set()

    async def _prepare(self) -> None:
        while not self._connected.is_set():
            try:
                for listener in self._listeners:
                    await listener()
            except (UnavailableError, nats.js.errors.APIError, *AWAY) as error:
                # JetStream becomes ready a moment after the connection; in a cluster, after an election.
                reason = f"JetStream is not ready: {error or repr(error)}"
                if reason != self.last_error:
                    log.warning("nats not ready", error=reason)
                self.last_error = reason
                await asyncio.sleep(0.25)
            else:
                self.last_error, self._prepared = None, True
                log.info("nats ready")
                return

    async def _on_error(self, error: Exception) -> None:
        self.last_error = str(error) or type(error).__name__
        log.warning("nats error", error=repr(error))

    async def _on_disconnect(self) -> None:
        self._prepared = False
        log.warning("nats disconnected")

    async def _on_reconnect(self) -> None:
        RECONNECTS.inc()
        self._connected.set()

    async def _on_closed(self) -> None:
        self._closed.set()
        self._connected.set()


@asynccontextmanager
async def open_bus() -> AsyncIterator[Bus]:
    """A bus on which to register listeners; `run` connects it. Flushed and closed at the end of the block."""
    client = Client()
    client._transport = _Transport()  # type: ignore[no-untyped-call]
    bus = Bus(client)
    try:
        yield bus
    finally:
        await _bounded(_flush_if_connected(bus))
        if bus.was_started:
            await _bounded(bus.client.close())


async def flush(client: Client) -> None:
    """Return when the server has processed all that this client has sent.

    nats-py writes a flush's ping in front of commands that still wait to be sent, so the first pong may come before
    they are processed. They are on their way by then, and the second ping follows them.

    Raises:
        nats.errors.Error: one of `AWAY`, if the server does not answer.
    """
    await client.flush()
    await client.flush()


async def _flush_if_connected(bus: Bus) -> None:
    if bus.client.is_connected:
        with suppress(*AWAY):
            await flush(bus.client)


async def _bounded(step: Coroutine[Any, Any, None]) -> None:
    """Run one step of closing, for at most CLOSING seconds."""
    task = asyncio.create_task(step)
    await asyncio.wait({task}, timeout=CLOSING)
    if not task.done():
        log.warning("nats did not accept pending data", seconds=CLOSING)
        await end((task,))
    elif not task.cancelled() and (error := task.exception()):
        # The connection ended while it was being closed, which is harmless.
        log.warning("nats closed badly", error=repr(error))
