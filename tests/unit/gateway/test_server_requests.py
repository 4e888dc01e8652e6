"""Oversized requests and request smuggling, on a real socket."""

import asyncio
import zlib

import pytest
from aiohttp import http_parser

from gateway.http.requests import MAX_BODY
from tests.unit.gateway.raw import LIVE, POST, Connect, Serve, is_well

# ---- Oversized requests ----


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (LIVE + b"X-Large: " + b"x" * 17_000 + b"\r\n\r\n", 431),
        (LIVE + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + b"\r\n", 431),
        (LIVE + b"x" * 17_000 + b": 1\r\n\r\n", 431),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (LIVE + (b"X-Large: " + b"x" * 8000 + b"\r\n") * 12 + b"\r\n", 431),
        (LIVE + (b"X-Large: " + b"x" * 8000 + b"\r\n") * 120, 431),
    ],
    ids=["field", "fields", "name", "line", "whole", "unfinished"],
)
async def test_too_large_headers_are_refused(serve: Serve, connect: Connect, request_head: bytes, status: int) -> None:
    port = await serve()
    client = await connect(port)
    await client.send(request_head)
    assert (await client.rest()).split(b" ", 2)[1] == b"%d" % status
    assert await is_well(port)


async def test_headers_of_usual_size_are_read(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve())
    cookies = b"Cookie: " + b"x" * 12_000 + b"\r\nX-Other: " + b"x" * 8000 + b"\r\nConnection: close\r\n\r\n"
    await client.send(LIVE + cookies)
    assert b" 200 " in await client.head()


@pytest.mark.parametrize("encoding", ["deflate", "gzip", "br", "zstd"])
@pytest.mark.parametrize("path", ["/api/v1/generate", "/api/v1/prompt/build", "/nothing"])
async def test_a_compressed_body_is_never_decompressed(
    serve: Serve, connect: Connect, path: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[str] = []
    monkeypatch.setattr(http_parser.DeflateBuffer, "__init__", lambda *_, **__: unpacked.append(path))
    client = await connect(await serve())
    bomb = zlib.compress(bytes(20_000_000), 9)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\n"
    )
    await client.send(f"{head}Content-Length: {len(bomb)}\r\nConnection: close\r\n\r\n".encode() + bomb)
    assert (await client.rest()).split(b" ", 2)[1] == (b"404" if path == "/nothing" else b"415")
    assert not unpacked


async def test_endless_chunks_are_a_413_and_close_the_connection(serve: Serve, connect: Connect) -> None:
    port = await serve()
    client = await connect(port)
    await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    for _ in range(MAX_BODY // 1024 + 1):
        await client.send(chunk)
    assert b" 413 " in await client.head()

    async def go_on() -> None:
        while True:
            await client.send(chunk)
            await asyncio.sleep(0.01)

    sending = asyncio.create_task(go_on())
    await client.rest()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


# ---- Request smuggling ----


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Host: y\r\n",
        b"X: a\x00b\r\n",
        b" X: a\r\n",
    ],
)
async def test_request_smuggling_is_refused(serve: Serve, connect: Connect, head: bytes) -> None:
    client = await connect(await serve())
    await client.send(POST + head + b"\r\n0\r\n\r\n" + LIVE + b"\r\n")
    answers = await client.rest()
    assert answers.startswith(b"HTTP/1.0 400 ")
    assert answers.count(b"HTTP/1.") == 1
    assert answers.endswith(b"}")


@pytest.mark.parametrize("chunk", [b"5\n\r\n", b"-5\r\nhello\r\n", b"5;\nhello\r\n", b"5 \rhello\r\n", b"zz\r\n"])
async def test_malformed_chunks_close_the_connection(serve: Serve, connect: Connect, chunk: bytes) -> None:
    client = await connect(await serve())
    await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n" + LIVE + b"\r\n")
    answers = await client.rest()
    assert b" 400 " in answers
    assert b" 200 " not in answers


async def test_pipelined_requests_are_answered_in_order(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve())
    requests = [LIVE + b"X-Request-ID: %d\r\n\r\n" % number for number in range(100)]
    await client.send(b"".join(requests[:-1]) + requests[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    lines = (await client.rest()).split(b"\r\n")
    numbers = [int(line.split()[1]) for line in lines if line.startswith(b"X-Request-ID")]
    assert numbers == list(range(100))
