"""The gateway on a real socket, and clients that mean no good."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import aiohttp
import pytest
from aiohttp import http_parser
from prometheus_client import REGISTRY

from deploy.stack.ports import LOOPBACK, free_ports
from gateway import server, validation
from gateway.app import create_app
from gateway.server import serving
from gateway.services import Services
from gateway.validation import MAX_BODY
from shared.errors import SettingsError
from shared.settings import load_settings
from tests.unit.gateway.conftest import KEYS

PATIENCE = 20
LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def serve(services: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
    """Starts the gateway with some settings; returns its port."""
    monkeypatch.setattr(server, "LINGER", 0.2)
    async with AsyncExitStack() as stack:

        async def start(**environment: str) -> int:
            (port,) = free_ports(1)
            settings = load_settings(KEYS | {"GATEWAY_PORT": str(port), "SHUTDOWN_GRACE": "1"} | environment)
            services.settings = settings
            await stack.enter_async_context(serving(create_app(services), settings))
            return port

        yield start


class Client:
    """A connection that sends just what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send; that the other side has closed is for `rest` to tell."""
        with suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def head(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """All that comes until the other side closes."""
        found = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while data := await self._reader.read(65536):
                    found += data
        return found

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    async with AsyncExitStack() as stack:

        async def open_one(port: int, address: str = LOOPBACK) -> Client:
            client = Client(*await asyncio.open_connection(LOOPBACK, port, local_addr=(address, 0)))
            stack.push_async_callback(client.close)
            return client

        yield open_one


Connect = Callable[..., Awaitable[Client]]


async def is_well(port: int) -> bool:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as http,
        http.get(f"http://{LOOPBACK}:{port}/health/live") as response,
    ):
        return response.status == 200


# ---- Slow and idle ones ----


@pytest.mark.parametrize("before", [b"", LIVE + b"\r\n"], ids=["fresh", "kept alive"])
async def test_a_header_that_comes_byte_by_byte_is_cut_off_and_disturbs_nobody(
    serve: Serve, connect: Connect, before: bytes
) -> None:
    port = await serve(GATEWAY_IDLE_TIMEOUT="0.5")
    clients = [await connect(port) for _ in range(20)]
    for client in clients:
        await client.send(before + LIVE)
        if before:
            assert b" 200 " in await client.head()

    async def drip(client: Client) -> None:
        for letter in b"X-Slow: " + b"x" * 10_000:
            await client.send(bytes([letter]))
            await asyncio.sleep(0.05)

    dripping = [asyncio.create_task(drip(client)) for client in clients]
    assert await is_well(port)
    ends = await asyncio.gather(*(client.rest() for client in clients))
    assert all(b"HTTP/1.1" not in end for end in ends)
    for task in dripping:
        task.cancel()
    await asyncio.gather(*dripping, return_exceptions=True)


async def test_a_connection_that_says_nothing_is_closed_and_one_that_asks_is_not(
    serve: Serve, connect: Connect
) -> None:
    port = await serve(GATEWAY_IDLE_TIMEOUT="0.6")
    silent, busy = await connect(port), await connect(port)
    waiting = asyncio.create_task(silent.rest())
    while not waiting.done():
        await busy.send(LIVE + b"\r\n")
        assert b" 200 " in await busy.head()
        await asyncio.sleep(0.1)
    assert await waiting == b""


async def test_a_websocket_may_be_silent_for_longer(serve: Serve, connect: Connect) -> None:
    port = await serve(GATEWAY_IDLE_TIMEOUT="0.3")
    async with aiohttp.ClientSession() as http, http.ws_connect(f"http://{LOOPBACK}:{port}/ws") as socket:
        for _ in range(2):
            await (await connect(port)).rest()  # one idle timeout passes
        await socket.send_str('{"type": "ping"}')
        assert await socket.receive_json(timeout=PATIENCE) == {"type": "pong"}


async def test_a_body_that_does_not_get_whole_is_a_408(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "BODY_PATIENCE", 0.2)
    client = await connect(await serve())
    await client.send(POST + b'Content-Length: 50\r\n\r\n{"prompt"')
    assert b" 408 " in await client.head()
    await client.rest()


async def test_who_asks_without_end_and_never_reads_is_cut_off(serve: Serve, connect: Connect) -> None:
    port = await serve(GATEWAY_IDLE_TIMEOUT="0.5", GATEWAY_CONNECTIONS="1")
    deaf = await connect(port)
    # Answers of 20 kB each, until the buffers of both sides are full and nothing moves.
    flood = asyncio.create_task(deaf.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5000))
    async with asyncio.timeout(PATIENCE):
        while not await _is_let_in(port):
            await asyncio.sleep(0.1)
    flood.cancel()
    await asyncio.gather(flood, return_exceptions=True)


async def _is_let_in(port: int) -> bool:
    try:
        return await is_well(port)
    except aiohttp.ClientError:
        return False


# ---- Many ----


async def test_one_connection_too_many_is_turned_away_until_another_one_closes(serve: Serve, connect: Connect) -> None:
    port = await serve(GATEWAY_CONNECTIONS="3")
    held = [await connect(port) for _ in range(3)]
    for client in held:
        await client.send(LIVE + b"\r\n")
        assert b" 200 " in await client.head()
    turned_away = await connect(port)
    await turned_away.send(LIVE + b"\r\n")
    answer = await turned_away.rest()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in answer
    assert b"application/problem+json" in answer
    await held[0].close()
    async with asyncio.timeout(PATIENCE):
        while not await _is_let_in(port):
            await asyncio.sleep(0.05)


async def test_one_address_cannot_take_the_connections_of_others(serve: Serve, connect: Connect) -> None:
    port = await serve(GATEWAY_CONNECTIONS_PER_ADDRESS="2")
    for _ in range(2):
        client = await connect(port, "127.0.0.2")
        await client.send(LIVE + b"\r\n")
        assert b" 200 " in await client.head()
    before = REGISTRY.get_sample_value("musicgen_connections_turned_away_total") or 0.0
    answer = await (await connect(port, "127.0.0.2")).rest()
    assert REGISTRY.get_sample_value("musicgen_connections_turned_away_total") == before + 1
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"Retry-After" in answer
    assert await is_well(port)


async def test_one_client_has_so_many_websockets_and_another_one_as_many(serve: Serve, services: Services) -> None:
    port = await serve(GATEWAY_WEBSOCKETS_PER_CLIENT="2")
    url = f"http://{LOOPBACK}:{port}/ws"
    async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(http.ws_connect(url))
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url)
        assert refused.value.status == 429
        assert refused.value.headers is not None
        assert "Retry-After" in refused.value.headers
        elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=elsewhere) as other, other.ws_connect(url):
            assert services.listeners == {LOOPBACK: 2, "127.0.0.2": 1}
    async with asyncio.timeout(PATIENCE):
        while services.listeners:
            await asyncio.sleep(0.01)


# ---- Large ones ----


@pytest.mark.parametrize(
    "request_head",
    [
        LIVE + b"X-Large: " + b"x" * 9000 + b"\r\n\r\n",
        LIVE + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + b"\r\n",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        LIVE + b"x" * 9000 + b": 1\r\n\r\n",
    ],
    ids=["field", "fields", "line", "name"],
)
async def test_a_head_that_is_too_large_is_a_400(serve: Serve, connect: Connect, request_head: bytes) -> None:
    port = await serve()
    client = await connect(port)
    await client.send(request_head)
    assert (await client.rest()).startswith(b"HTTP/1.0 400 ")
    assert await is_well(port)


@pytest.mark.parametrize("encoding", ["deflate", "gzip", "br", "zstd"])
@pytest.mark.parametrize("path", ["/api/v1/generate", "/api/v1/prompt/build", "/nothing"])
async def test_a_compressed_body_is_not_unpacked_at_all(
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


async def test_chunks_without_an_end_are_a_413_and_then_nobody_listens(serve: Serve, connect: Connect) -> None:
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


# ---- Ambiguous ones ----


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
async def test_a_request_that_proxies_may_read_otherwise_is_refused_with_all_behind_it(
    serve: Serve, connect: Connect, head: bytes
) -> None:
    client = await connect(await serve())
    await client.send(POST + head + b"\r\n0\r\n\r\n" + LIVE + b"\r\n")
    answers = await client.rest()
    assert answers.startswith(b"HTTP/1.0 400 ")
    assert answers.count(b"HTTP/1.") == 1


@pytest.mark.parametrize("chunk", [b"5\n\r\n", b"-5\r\nhello\r\n", b"5;\nhello\r\n", b"5 \rhello\r\n", b"zz\r\n"])
async def test_chunks_that_are_none_end_the_connection(serve: Serve, connect: Connect, chunk: bytes) -> None:
    client = await connect(await serve())
    await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n" + LIVE + b"\r\n")
    answers = await client.rest()
    assert b" 400 " in answers
    assert b" 200 " not in answers


async def test_pipelined_requests_are_answered_in_their_order(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve())
    requests = [LIVE + b"X-Request-ID: %d\r\n\r\n" % number for number in range(100)]
    await client.send(b"".join(requests[:-1]) + requests[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    lines = (await client.rest()).split(b"\r\n")
    numbers = [int(line.split()[1]) for line in lines if line.startswith(b"X-Request-ID")]
    assert numbers == list(range(100))


# ---- Itself ----


async def test_a_port_that_is_taken_and_an_address_of_another_machine_are_named(serve: Serve) -> None:
    port = await serve()
    with pytest.raises(SettingsError, match=f"GATEWAY_PORT: port {port} is taken"):
        await serve(GATEWAY_PORT=str(port))
    with pytest.raises(SettingsError, match=r"GATEWAY_HOST: cannot listen on 192\.0\.2\.1"):
        await serve(GATEWAY_HOST="192.0.2.1")
