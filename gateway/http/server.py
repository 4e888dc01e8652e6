"""The listening socket, and limits on connections: their number, idle time and memory.

gateway/http/connection.py limits the memory of one connection, gateway/memory_budget.py that of all together.
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

# Seconds of a lingering close: the client may finish sending, so that it receives the response.
LINGER_TIMEOUT = 2.0
# Retry-After of a rejected connection, in seconds.
RETRY_AFTER = 5
# Rejected connections that may linger at the same time; more are closed at once and may lose the response.
MAX_LINGERING = 50
# Bytes that all connections together may buffer: unprocessed input and unsent output.
REQUEST_MEMORY = 32 * 1024 * 1024
RESPONSE_MEMORY = 256 * 1024 * 1024


@asynccontextmanager
async def serving(app: web.Application, settings: Settings) -> AsyncIterator[None]:
    """Serve `app` while the block runs. On exit, stop accepting and give open requests time to finish.

    Raises:
        SettingsError: if the gateway cannot listen on the address or port.
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
            # Counts from the last response or the connect: headers that trickle in do not extend it.
            keepalive_timeout=settings.gateway_idle_timeout,
            lingering_time=LINGER_TIMEOUT,
            # Compressed bodies are refused, and must not be decompressed while the rest is drained.
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
    """Accepts new connections of `server`, or rejects them at a limit. `lingering` holds open rejected ones."""

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
        metrics.REJECTED_CONNECTIONS.inc()  # not logged: there may be thousands
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
            return unavailable("This gateway has reached its connection limit.", RETRY_AFTER)
        if addresses.count(address) >= self._settings.gateway_connections_per_address:
            return too_many(
                "Your address has reached its connection limit. Close some connections, or reuse them.", RETRY_AFTER
            )
        return None


def _address(peername: object) -> str:
    return str(peername[0]) if isinstance(peername, tuple) else ""


def _set_user_timeout(connection: asyncio.Transport, seconds: float) -> None:
    """Have the kernel close the connection if sent data stays unacknowledged for `seconds`, where supported."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        connection.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))
