"""Connection limits and timeouts, on a real socket."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import pytest
from prometheus_client import REGISTRY

from deploy.stack.ports import LOOPBACK
from gateway.http import requests
from gateway.services import Services
from shared.errors import SettingsError
from tests.unit.gateway.raw import LIVE, POST, TIMEOUT, Connect, RawConnection, Serve, is_accepted, is_well

# ---- Slow and idle clients ----


@pytest.mark.parametrize("before", [b"", LIVE + b"\r\n"], ids=["fresh", "kept alive"])
async def test_slow_headers_are_cut_off_without_affecting_others(serve: Serve, connect: Connect, before: bytes) -> None:
    port = await serve(GATEWAY_IDLE_TIMEOUT="0.5")
    clients = [await connect(port) for _ in range(20)]
    for client in clients:
        await client.send(before + LIVE)
        if before:
            assert b" 200 " in await client.head()

    async def drip(client: RawConnection) -> None:
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


async def test_idle_connections_are_closed_and_active_ones_stay(serve: Serve, connect: Connect) -> None:
    port = await serve(GATEWAY_IDLE_TIMEOUT="0.6")
    silent, busy = await connect(port), await connect(port)
    waiting = asyncio.create_task(silent.rest())
    while not waiting.done():
        await busy.send(LIVE + b"\r\n")
        assert b" 200 " in await busy.head()
        await asyncio.sleep(0.1)
    assert await waiting == b""


async def test_the_idle_timeout_does_not_apply_to_websockets(serve: Serve, connect: Connect) -> None:
    port = await serve(GATEWAY_IDLE_TIMEOUT="0.3")
    async with aiohttp.ClientSession() as http, http.ws_connect(f"http://{LOOPBACK}:{port}/ws") as socket:
        for _ in range(2):
            await (await connect(port)).rest()  # one idle timeout passes
        await socket.send_str('{"type": "ping"}')
        assert await socket.receive_json(timeout=TIMEOUT) == {"type": "pong"}


async def test_an_incomplete_body_is_a_408(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_TIMEOUT", 0.2)
    client = await connect(await serve())
    await client.send(POST + b'Content-Length: 50\r\n\r\n{"prompt"')
    assert b" 408 " in await client.head()
    await client.rest()


async def test_a_client_that_never_reads_its_responses_is_cut_off(serve: Serve, connect: Connect) -> None:
    port = await serve(GATEWAY_IDLE_TIMEOUT="0.5", GATEWAY_CONNECTIONS="1")
    slow = await connect(port)
    # Responses of 20 kB each, until the buffers of both sides are full.
    flood = asyncio.create_task(slow.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5000))
    async with asyncio.timeout(TIMEOUT):
        while not await is_accepted(port):
            await asyncio.sleep(0.1)
    flood.cancel()
    await asyncio.gather(flood, return_exceptions=True)


# ---- Many connections ----


async def test_connections_over_the_limit_are_rejected_until_one_closes(serve: Serve, connect: Connect) -> None:
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
    async with asyncio.timeout(TIMEOUT):
        while not await is_accepted(port):
            await asyncio.sleep(0.05)


async def test_one_address_cannot_exhaust_the_connections(serve: Serve, connect: Connect) -> None:
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


async def test_half_of_the_connections_stay_for_short_requests(serve: Serve) -> None:
    port = await serve(GATEWAY_CONNECTIONS="4")
    url = f"http://{LOOPBACK}:{port}/ws"
    async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(http.ws_connect(url))
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url)
        assert refused.value.status == 503
        assert await is_well(port)


async def test_websockets_are_limited_per_client(serve: Serve, services: Services) -> None:
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
            assert services.live_connections == {LOOPBACK: 2, "127.0.0.2": 1}
    async with asyncio.timeout(TIMEOUT):
        while services.live_connections:
            await asyncio.sleep(0.01)


# ---- Listening ----


async def test_a_taken_port_and_a_foreign_address_are_named(serve: Serve) -> None:
    port = await serve()
    with pytest.raises(SettingsError, match=f"GATEWAY_PORT: port {port} is taken"):
        await serve(GATEWAY_PORT=str(port))
    with pytest.raises(SettingsError, match=r"GATEWAY_HOST: cannot listen on 192\.0\.2\.1"):
        await serve(GATEWAY_HOST="192.0.2.1")
