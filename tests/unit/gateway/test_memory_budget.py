"""The bound on the memory of all connections together."""

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


class Kept:
    def __init__(self) -> None:
        self.cuts = 0

    def evict(self) -> None:
        self.cuts += 1


def cut_connections() -> float:
    return REGISTRY.get_sample_value("musicgen_connections_cut_total") or 0.0


def test_beyond_the_limit_the_one_with_the_most_is_cut_until_the_rest_fits() -> None:
    buffers, small, large, larger = MemoryBudget(100), Kept(), Kept(), Kept()
    buffers.set_usage(larger, 60)
    buffers.set_usage(large, 40)
    assert (buffers.total, larger.cuts) == (100, 0)
    buffers.set_usage(small, 1)
    assert (buffers.total, small.cuts, large.cuts, larger.cuts) == (41, 0, 0, 1)
    buffers.set_usage(small, 101)
    assert (buffers.total, small.cuts, large.cuts) == (40, 1, 0)


def test_what_is_given_back_counts_no_longer() -> None:
    buffers, first, second = MemoryBudget(100), Kept(), Kept()
    for size in (90, 10, 90, 0):
        buffers.set_usage(first, size)
    buffers.set_usage(second, 100)
    assert (buffers.total, first.cuts, second.cuts) == (100, 0, 0)


@pytest.fixture
def buffers(monkeypatch: pytest.MonkeyPatch) -> list[MemoryBudget]:
    """Those of the gateway that a test starts: for what clients sent, and for what they did not take."""
    made: list[MemoryBudget] = []

    def make(limit: int) -> MemoryBudget:
        made.append(MemoryBudget(limit))
        return made[-1]

    monkeypatch.setattr(server, "MemoryBudget", make)
    return made


async def until_nothing_is_kept(buffers: list[MemoryBudget]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while any(each.total for each in buffers):
            await asyncio.sleep(0.01)


async def begin(connect: Connect, port: int, count: int, beginning: bytes) -> list[RawConnection]:
    """Connections on which only the beginning of a request was sent."""
    clients = [await connect(port) for _ in range(count)]
    for client in clients:
        await client.send(beginning)
    return clients


@pytest.mark.parametrize(
    "beginning",
    [LIVE + HEADER * 20, POST + b"Content-Length: 30000\r\n\r\n" + b" " * 20_000],
    ids=["heads", "bodies"],
)
async def test_unfinished_requests_that_add_up_are_cut_and_short_ones_are_answered(
    serve: Serve, connect: Connect, buffers: list[MemoryBudget], monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(server, "REQUEST_MEMORY", 200_000)
    before, port = cut_connections(), await serve()
    honest = await connect(port)
    await honest.send(LIVE)  # a head that is not whole either
    clients = await begin(connect, port, 30, beginning)
    async with asyncio.timeout(TIMEOUT):
        while cut_connections() < before + 20:
            await asyncio.sleep(0.01)
    await honest.send(b"\r\n")
    assert b" 200 " in await honest.head()
    assert await is_well(port)
    for client in clients:
        await client.close()
    await until_nothing_is_kept(buffers)


async def test_a_head_that_is_cut_is_answered_with_a_503(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "REQUEST_MEMORY", MAX_HEAD // 2)
    client = await connect(await serve())
    await client.send(LIVE + HEADER * 25)
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"application/problem+json" in answer
    assert b"Retry-After" in answer


async def test_answers_that_clients_do_not_take_are_cut_when_they_add_up(
    serve: Serve, buffers: list[MemoryBudget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RESPONSE_MEMORY", 500_000)
    before, port = cut_connections(), await serve()
    deaf = []
    for _ in range(20):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        deaf.append(client)
        await asyncio.get_running_loop().sock_connect(client, (LOOPBACK, port))
        client.send(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 250)
    async with asyncio.timeout(TIMEOUT):
        while cut_connections() == before:
            await asyncio.sleep(0.01)
    assert await is_well(port)
    for client in deaf:
        client.close()
    await until_nothing_is_kept(buffers)


async def test_what_was_sent_counts_until_it_is_answered(
    serve: Serve, connect: Connect, buffers: list[MemoryBudget]
) -> None:
    client = await connect(await serve())
    await client.send(LIVE + HEADER * 10)
    async with asyncio.timeout(TIMEOUT):
        while buffers[0].total < 10_000:
            await asyncio.sleep(0.01)
    await client.send(b"\r\n")
    assert b" 200 " in await client.head()
    await until_nothing_is_kept(buffers)


async def test_an_answer_that_fails_after_its_client_left_leaves_nothing_counted(
    serve: Serve, connect: Connect, buffers: list[MemoryBudget], monkeypatch: pytest.MonkeyPatch
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
    await client.send(LIVE)  # a second one, which is not whole
    async with asyncio.timeout(TIMEOUT):
        while buffers[0].total < 2 * len(LIVE):
            await asyncio.sleep(0.01)
    await client.close()
    async with asyncio.timeout(TIMEOUT):
        while buffers[0].total:
            await asyncio.sleep(0.01)
    left.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert buffers[0].total == 0


async def test_a_request_behind_a_declined_upgrade_is_read_whole(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve())
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"  # and no WebSocket key
    body = b'{"prompt": "' + b"x" * 60_000 + b'"}'
    await client.send(LIVE + upgrade + POST + b"Content-Length: %d\r\n\r\n" % len(body))
    await client.send(body + LIVE + b"Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1\.1 (\d+) ", await client.rest()) == [b"200", b"422", b"200"]


async def test_frames_that_came_at_once_are_all_answered(serve: Serve) -> None:
    port = await serve()
    async with aiohttp.ClientSession() as http, http.ws_connect(f"http://{LOOPBACK}:{port}/ws") as socket:
        large = '{"type": "ping"' + " " * 60_000 + "}"
        for text in ['{"type": "ping"}'] * 1500 + [large] * 5:
            await socket.send_str(text)
        for _ in range(1505):
            assert await socket.receive_json(timeout=TIMEOUT) == {"type": "pong"}


async def test_the_fullest_outbox_is_cut_when_all_together_hold_too_much() -> None:
    all_outboxes = MemoryBudget(10 * (FRAME_OVERHEAD + 100))
    slow, other = Outbox(all_outboxes), Outbox(all_outboxes)
    for _ in range(2):
        other.put(b"x" * 100)
    for _ in range(9):
        slow.put(b"x" * 100)
    with pytest.raises(OutboxFullError):
        await slow.get()
    assert [await other.get(), await other.get()] == [b"x" * 100] * 2
    assert all_outboxes.total == 0
