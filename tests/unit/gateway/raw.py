"""Raw socket connections to a gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp

from deploy.stack.ports import LOOPBACK

TIMEOUT = 20
LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class RawConnection:
    """A connection that sends bytes unchanged."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes. If the peer has closed, `rest` returns what it sent before."""
        with suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def head(self) -> bytes:
        async with asyncio.timeout(TIMEOUT):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(TIMEOUT):
            return await self._reader.readexactly(size)

    async def rest(self) -> bytes:
        """Read until the peer closes."""
        found = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(TIMEOUT):
                while data := await self._reader.read(65536):
                    found += data
        return found

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


Serve = Callable[..., Awaitable[int]]
Connect = Callable[..., Awaitable[RawConnection]]


async def is_well(port: int) -> bool:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as http,
        http.get(f"http://{LOOPBACK}:{port}/health/live") as response,
    ):
        return response.status == 200


async def is_accepted(port: int) -> bool:
    try:
        return await is_well(port)
    except aiohttp.ClientError:
        return False
