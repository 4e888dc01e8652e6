"""The gateway's socket, and what a connection may cost: how many there are, how long they idle, how much they send.

gateway/http/connection.py and gateway/memory_budget.py bound the memory of each connection and of all together.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web

from gateway import metrics
from gateway.http.connection import HttpProtocol
from gateway.memory_budget import MemoryBudget
from gateway.problems import Problem, raw_response, too_many, unavailable
from shared.errors import SettingsError
from shared.settings import Settings

# Seconds for reading what a client still sends after its answer, so that it gets to see that.
LINGER_TIMEOUT = 2.0
# Seconds after which one that was turned away may try again.
RETRY_AFTER = 5
# So many of these are let finish their request at a time: closed before that, most would not get to see the answer.
MAX_LINGERING = 50
# Bytes that all connections may keep: of requests, and of answers.
REQUEST_MEMORY = 32 * 1024 * 1024
RESPONSE_MEMORY = 256 * 1024 * 1024


@asynccontextmanager
async def serving(app: web.Application, settings: Settings) -> AsyncIterator[None]:
    """Serve `app` while the block runs. At its end no connection is taken, and requests get time to finish.

    Raises:
        SettingsError: if the address or the port cannot be had.
    """
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=settings.shutdown_grace)
    await runner.setup()
    try:
        assert runner.server is not None
        listener = await _listen(runner.server, settings)
        try:
            yield
        finally:
            listener.close()
    finally:
        await runner.cleanup()


async def _listen(server: web.Server, settings: Settings) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    lingering: set[asyncio.Transport] = set()
    request_memory, response_memory = MemoryBudget(REQUEST_MEMORY), MemoryBudget(RESPONSE_MEMORY)

    def protocol() -> HttpProtocol:
        return HttpProtocol(
            server,
            request_memory,
            response_memory,
            access_log=None,
            # Counts from the last answer, or from the beginning: a header that comes byte by byte does not prolong it.
            keepalive_timeout=settings.gateway_idle_timeout,
            lingering_time=LINGER_TIMEOUT,
            # A compressed body is refused; until it is read to its end it must not be unpacked either.
            auto_decompress=False,
        )

    def acceptor() -> ConnectionAcceptor:
        return ConnectionAcceptor(server, protocol, settings, lingering)

    try:
        return await loop.create_server(acceptor, settings.gateway_host, settings.gateway_port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise SettingsError(f"GATEWAY_HOST: cannot listen on {settings.gateway_host}: {error.strerror}") from error
        raise SettingsError(
            f"GATEWAY_PORT: port {settings.gateway_port} is taken by another program. Stop it, or set another port."
        ) from error


class ConnectionAcceptor(asyncio.Protocol):
    """Lets a new connection in to `server`, or turns it away. `lingering` are those that were and are still there."""

    def __init__(
        self,
        server: web.Server,
        protocol: Callable[[], HttpProtocol],
        settings: Settings,
        lingering: set[asyncio.Transport],
    ) -> None:
        self._server = server
        self._protocol = protocol
        self._settings = settings
        self._lingering = lingering

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast(asyncio.Transport, transport)
        rejection = self._rejection(connection)
        if rejection is not None:
            self._reject(connection, rejection)
            return
        _set_user_timeout(connection, self._settings.gateway_idle_timeout)
        handler = self._protocol()
        connection.set_protocol(handler)
        handler.connection_made(connection)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lingering -= {each for each in self._lingering if each.is_closing()}

    def _reject(self, connection: asyncio.Transport, rejection: Problem) -> None:
        metrics.REJECTED_CONNECTIONS.inc()  # no line in the log for each: they come by the thousand
        connection.write(raw_response(rejection))
        if len(self._lingering) >= MAX_LINGERING:
            connection.close()
            return
        self._lingering.add(connection)
        connection.write_eof()
        asyncio.get_running_loop().call_later(LINGER_TIMEOUT, connection.abort)

    def _rejection(self, connection: asyncio.Transport) -> Problem | None:
        address = _address(connection.get_extra_info("peername"))
        addresses = [_address(handler.peername) for handler in self._server.connections]
        if len(addresses) >= self._settings.gateway_connections:
            return unavailable("This gateway has as many connections as it may.", RETRY_AFTER)
        if addresses.count(address) >= self._settings.gateway_connections_per_address:
            return too_many(
                "Your address has as many connections as it may. Close some, or use them again.", RETRY_AFTER
            )
        return None


def _address(peername: object) -> str:
    return str(peername[0]) if isinstance(peername, tuple) else ""


def _set_user_timeout(connection: asyncio.Transport, seconds: float) -> None:
    """Have the kernel cut a connection whose client takes nothing of what it is sent for so long, where it can."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        connection.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))
