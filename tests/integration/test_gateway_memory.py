"""Memory of a gateway under attack, measured on its process because status codes do not show it."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import psutil
import pytest

from deploy.stack.ports import LOOPBACK, free_ports
from tests.unit.gateway.raw import LIVE, is_accepted, is_well

CLIENTS = 300
# Bytes by which the process may grow, besides two copies of the unread OpenAPI document for each client: one in the
# handler's answer, one in the buffer of the connection. Unbounded, each attack took it to 240 MB.
GROWTH = 60e6
LARGE = b"".join(b"X-%d: " % number + b"x" * 7000 + b"\r\n" for number in range(3))


UNFINISHED_HEAD = LIVE + b"".join(b"X-%d: " % number + b"x" * 8000 + b"\r\n" for number in range(50))
# Answers that are not read hold up the first requests, and these all others.
PIPELINED_REQUESTS = (b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n" + LARGE + b"\r\n") * 60


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[int, psutil.Process]]:
    """The port and the process of a gateway that has neither NATS nor S3."""
    (port,) = free_ports(1)
    own = {
        "GATEWAY_PORT": str(port),
        "NATS_URL": f"nats://{LOOPBACK}:1",
        "S3_ENDPOINT": f"http://{LOOPBACK}:1",
        "S3_ACCESS_KEY": "key",
        "S3_SECRET_KEY": "secret",
        "SHUTDOWN_GRACE": "1",
    }
    program = [sys.executable, "-m", "deploy.cli.main", "gateway"]
    process = await asyncio.create_subprocess_exec(*program, env=os.environ | own)
    try:
        async with asyncio.timeout(60):
            while not await is_accepted(port):
                await asyncio.sleep(0.05)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("sent", [UNFINISHED_HEAD, PIPELINED_REQUESTS], ids=["heads", "pipelined"])
async def test_requests_on_many_connections_do_not_add_up_in_memory(
    gateway: tuple[int, psutil.Process], sent: bytes
) -> None:
    port, process = gateway
    document = await _openapi_document(port)
    before, loop = process.memory_info().rss, asyncio.get_running_loop()
    clients = [socket.socket() for _ in range(CLIENTS)]

    async def attack(client: socket.socket) -> None:
        client.setblocking(False)
        await loop.sock_connect(client, (LOOPBACK, port))
        with suppress(ConnectionError):
            await loop.sock_sendall(client, sent)

    attacks = [asyncio.create_task(attack(client)) for client in clients]
    await asyncio.wait(attacks, timeout=6)  # those that are not let send more wait here
    assert await is_well(port)
    grown = process.memory_info().rss - before
    for each in attacks:
        each.cancel()
    await asyncio.gather(*attacks, return_exceptions=True)
    for client in clients:
        client.close()
    assert grown < GROWTH + 2 * CLIENTS * len(document)


async def _openapi_document(port: int) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(f"http://{LOOPBACK}:{port}/openapi.json") as response:
        return await response.read()
