"""The load generator against a server that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bench.load import Call, Measured, _send_all
from deploy.stack.ports import LOOPBACK

Start = Callable[..., Awaitable[str]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a server that answers every request with these bytes, in pieces; returns its URL."""
    servers: list[asyncio.Server] = []

    async def serve(*pieces: bytes, seen: list[bytes] | None = None) -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]) if b"Content-Length" in head else 0
                if seen is not None:
                    seen.append(head + await reader.readexactly(length))
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)

        async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await answer(reader, writer)
            except asyncio.IncompleteReadError:
                writer.close()

        servers.append(await asyncio.start_server(quietly, LOOPBACK))
        return f"http://{LOOPBACK}:{servers[-1].sockets[0].getsockname()[1]}"

    yield serve
    for server in servers:
        server.close()


async def test_all_calls_are_sent_and_all_answers_read(start: Start) -> None:
    seen: list[bytes] = []
    url = await start(b"HTTP/1.1 200 OK\r\ncontent-len", b"gth: 4\r\n\r\nab", b"cd", seen=seen)
    measured = await _send_all(url, [Call("/one"), Call("/two", b'{"a":1}'), Call("/three")], clients=2)
    assert measured.answers == [b"abcd"] * 3
    assert len(measured.latencies) == 3
    assert sorted(each.split(b" HTTP")[0] for each in seen) == [b"GET /one", b"GET /three", b"POST /two"]
    assert [each[-7:] for each in seen if each.startswith(b"POST")] == [b'{"a":1}']


async def test_an_error_ends_the_run_with_its_text(start: Start) -> None:
    url = await start(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull")
    with pytest.raises(RuntimeError, match="/jobs was answered with 503: full"):
        await _send_all(url, [Call("/jobs")], clients=1)


def test_the_rate_is_answers_by_seconds() -> None:
    assert Measured([0.1] * 6, [b""] * 6, 1.5).rate == 4.0
