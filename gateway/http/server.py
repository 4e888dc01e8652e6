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
from gateway.http.connection import Protocol
from gateway.memory_budget import Buffers
from gateway.problems import Problem, raw_answer, too_many, unavailable
from shared.errors import SettingsError
from shared.settings import Settings

# Seconds for reading what a client still sends after its answer, so that it gets to see that.
LINGER = 2.0
# Seconds after which one that was turned away may try again.
RETRY = 5
# So many of these are let finish their request at a time: closed before that, most would not get to see the answer.
LEAVING = 50
# Bytes that all connections may keep: of requests, and of answers.
UNREAD = 32 * 1024 * 1024
UNSENT = 256 * 1024 * 1024


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
    leaving: set[asyncio.Transport] = set()
    unread, unsent = Buffers(UNREAD), Buffers(UNSENT)

    def protocol() -> Protocol:
        return Protocol(
            server,
            unread,
            unsent,
            access_log=None,
            # Counts from the last answer, or from the beginning: a header that comes byte by byte does not prolong it.
            keepalive_timeout=settings.gateway_idle_timeout,
            lingering_time=LINGER,
            # A compressed body is refused; until it is read to its end it must not be unpacked either.
            auto_decompress=False,
        )

    def door() -> Door:
        return Door(server, protocol, settings, leaving)

    try:
        return await loop.create_server(door, settings.gateway_host, settings.gateway_port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise SettingsError(f"GATEWAY_HOST: cannot listen on {settings.gateway_host}: {error.strerror}") from error
        raise SettingsError(
            f"GATEWAY_PORT: port {settings.gateway_port} is taken by another program. Stop it, or set another port."
        ) from error


class Door(asyncio.Protocol):
    """Lets a new connection in to `server`, or turns it away. `leaving` are those that were and are still there."""

    def __init__(
        self,
        server: web.Server,
        protocol: Callable[[], Protocol],
        settings: Settings,
        leaving: set[asyncio.Transport],
    ) -> None:
        self._server = server
        self._protocol = protocol
        self._settings = settings
        self._leaving = leaving

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast(asyncio.Transport, transport)
        refusal = self._refusal(connection)
        if refusal is not None:
            self._turn_away(connection, refusal)
            return
        _limit_stalls(connection, self._settings.gateway_idle_timeout)
        handler = self._protocol()
        connection.set_protocol(handler)
        handler.connection_made(connection)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leaving -= {each for each in self._leaving if each.is_closing()}

    def _turn_away(self, connection: asyncio.Transport, refusal: Problem) -> None:
        metrics.TURNED_AWAY.inc()  # no line in the log for each: they come by the thousand
        connection.write(raw_answer(refusal))
        if len(self._leaving) >= LEAVING:
            connection.close()
            return
        self._leaving.add(connection)
        connection.write_eof()
        asyncio.get_running_loop().call_later(LINGER, connection.abort)

    def _refusal(self, connection: asyncio.Transport) -> Problem | None:
        address = _address(connection.get_extra_info("peername"))
        addresses = [_address(handler.peername) for handler in self._server.connections]
        if len(addresses) >= self._settings.gateway_connections:
            return unavailable("This gateway has as many connections as it may.", RETRY)
        if addresses.count(address) >= self._settings.gateway_connections_per_address:
            return too_many("Your address has as many connections as it may. Close some, or use them again.", RETRY)
        return None


def _address(peername: object) -> str:
    return str(peername[0]) if isinstance(peername, tuple) else ""


def _limit_stalls(connection: asyncio.Transport, seconds: float) -> None:
    """Have the kernel cut a connection whose client takes nothing of what it is sent for so long, where it can."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        connection.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))
