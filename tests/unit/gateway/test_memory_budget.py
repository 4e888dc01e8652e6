"""The memory budget of all connections together."""

import asyncio
import re
import socket

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from deploy.stack.ports import LOOPBACK
from gateway.http import server
from gateway.http.connection import MAX_HEAD
from gateway.live.outbox import FRAME_OVERHEAD, Outbox, OutboxFullError
from gateway.memory_budget import MemoryBudget
from tests.unit.gateway.raw import LIVE, POST, TIMEOUT, Connect, RawConnection, Serve, is_well

HEADER = b"X-Large: " + b"x" * 990 + b"\r\n"


class Owner:
    def __init__(self) -> None:
        self.evictions = 0

    def evict(self) -> None:
        self.evictions += 1


def evicted_connections() -> float:
    return REGISTRY.get_sample_value("musicgen_connections_cut_total") or 0.0


def test_the_largest_owners_are_evicted_until_the_rest_fits() -> None:
    budget, small, large, larger = MemoryBudget(100), Owner(), Owner(), Owner()
    budget.set_usage(larger, 60)
    budget.set_usage(large, 40)
    assert (budget.total, larger.evictions) == (100, 0)
    budget.set_usage(small, 1)
    assert (budget.total, small.evictions, large.evictions, larger.evictions) == (41, 0, 0, 1)
    budget.set_usage(small, 101)
    assert (budget.total, small.evictions, large.evictions) == (40, 1, 0)


def test_released_memory_is_not_counted() -> None:
    budget, first, second = MemoryBudget(100), Owner(), Owner()
    for size in (90, 10, 90, 0):
        budget.set_usage(first, size)
    budget.set_usage(second, 100)
    assert (budget.total, first.evictions, second.evictions) == (100, 0, 0)


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> list[MemoryBudget]:
    """The budgets of the gateway that a test starts: for input and for output."""
    made: list[MemoryBudget] = []

    def make(limit: int) -> MemoryBudget:
        made.append(MemoryBudget(limit))
        return made[-1]

    monkeypatch.setattr(server, "MemoryBudget", make)
    return made


async def until_released(budgets: list[MemoryBudget]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while any(each.total for each in budgets):
            await asyncio.sleep(0.01)


async def begin(connect: Connect, port: int, count: int, beginning: bytes) -> list[RawConnection]:
    """Open connections, and send only the beginning of a request on each."""
    clients = [await connect(port) for _ in range(count)]
    for client in clients:
        await client.send(beginning)
    return clients


@pytest.mark.parametrize(
    "beginning",
    [LIVE + HEADER * 20, POST + b"Content-Length: 30000\r\n\r\n" + b" " * 20_000],
    ids=["heads", "bodies"],
)
async def test_large_unfinished_requests_are_evicted_and_short_ones_served(
    serve: Serve, connect: Connect, budgets: list[MemoryBudget], monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(server, "REQUEST_MEMORY", 200_000)
    before, port = evicted_connections(), await serve()
    honest = await connect(port)
    await honest.send(LIVE)  # incomplete headers as well
    clients = await begin(connect, port, 30, beginning)
    async with asyncio.timeout(TIMEOUT):
        while evicted_connections() < before + 20:
            await asyncio.sleep(0.01)
    await honest.send(b"\r\n")
    assert b" 200 " in await honest.head()
    assert await is_well(port)
    for client in clients:
        await client.close()
    await until_released(budgets)


async def test_evicted_headers_get_a_503(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_MEMORY", MAX_HEAD // 2)
    client = await connect(await serve())
    await client.send(LIVE + HEADER * 25)
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"application/problem+json" in answer
    assert b"Retry-After" in answer


async def test_unread_responses_over_the_budget_are_evicted(
    serve: Serve, budgets: list[MemoryBudget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RESPONSE_MEMORY", 500_000)
    before, port = evicted_connections(), await serve()
    slow = []
    for _ in range(20):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        slow.append(client)
        await asyncio.get_running_loop().sock_connect(client, (LOOPBACK, port))
        client.send(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 250)
    async with asyncio.timeout(TIMEOUT):
        while evicted_connections() == before:
            await asyncio.sleep(0.01)
    assert await is_well(port)
    for client in slow:
        client.close()
    await until_released(budgets)


async def test_a_request_counts_until_its_response(serve: Serve, connect: Connect, budgets: list[MemoryBudget]) -> None:
    client = await connect(await serve())
    await client.send(LIVE + HEADER * 10)
    async with asyncio.timeout(TIMEOUT):
        while budgets[0].total < 10_000:
            await asyncio.sleep(0.01)
    await client.send(b"\r\n")
    assert b" 200 " in await client.head()
    await until_released(budgets)


async def test_a_response_that_fails_after_a_disconnect_leaves_no_usage(
    serve: Serve, connect: Connect, budgets: list[MemoryBudget], monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, left = asyncio.Event(), asyncio.Event()
    write_eof = web.Response.write_eof

    async def write_late(response: web.Response, data: bytes = b"") -> None:
        sending.set()
        try:
            await left.wait()
        finally:
            await write_eof(response, data)

    monkeypatch.setattr(web.Response, "write_eof", write_late)
    client = await connect(await serve())
    await client.send(LIVE + b"\r\n")
    await sending.wait()
    await client.send(LIVE)  # a second, incomplete request
    async with asyncio.timeout(TIMEOUT):
        while budgets[0].total < 2 * len(LIVE):
            await asyncio.sleep(0.01)
    await client.close()
    async with asyncio.timeout(TIMEOUT):
        while budgets[0].total:
            await asyncio.sleep(0.01)
    left.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert budgets[0].total == 0


async def test_a_request_after_a_declined_upgrade_is_read(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve())
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"  # without Sec-WebSocket-Key
    body = b'{"prompt": "' + b"x" * 60_000 + b'"}'
    await client.send(LIVE + upgrade + POST + b"Content-Length: %d\r\n\r\n" % len(body))
    await client.send(body + LIVE + b"Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1\.1 (\d+) ", await client.rest()) == [b"200", b"422", b"200"]


async def test_a_burst_of_frames_is_answered(serve: Serve) -> None:
    port = await serve()
    async with aiohttp.ClientSession() as http, http.ws_connect(f"http://{LOOPBACK}:{port}/ws") as socket:
        large = '{"type": "ping"' + " " * 60_000 + "}"
        for text in ['{"type": "ping"}'] * 1500 + [large] * 5:
            await socket.send_str(text)
        for _ in range(1505):
            assert await socket.receive_json(timeout=TIMEOUT) == {"type": "pong"}


async def test_the_largest_outbox_over_the_budget_is_evicted() -> None:
    budget = MemoryBudget(10 * (FRAME_OVERHEAD + 100))
    slow, other = Outbox(budget), Outbox(budget)
    for _ in range(2):
        other.put(b"x" * 100)
    for _ in range(9):
        slow.put(b"x" * 100)
    with pytest.raises(OutboxFullError):
        await slow.get()
    assert [await other.get(), await other.get()] == [b"x" * 100] * 2
    assert budget.total == 0
