"""Flushing a connection, and closing it to a frozen broker."""

import asyncio
import json
from contextlib import suppress

import nats
import psutil
import pytest
from nats.errors import ConnectionClosedError

from deploy.stack.ports import LOOPBACK
from shared.bus import flush, open_bus
from shared.lifecycle import end
from tests.integration.system import eventually

INFO = {"server_id": "deaf", "version": "2.15.1", "proto": 1, "headers": True, "max_payload": 8 * 2**20}


async def test_flush_returns_after_a_ping_that_follows_what_was_sent() -> None:
    commands: list[bytes] = []

    async def note_commands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO " + json.dumps(INFO).encode() + b"\r\n")
        async for line in reader:
            commands.append(line.split()[0])
            if commands[-1] == b"PING":
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(note_commands, LOOPBACK, 0) as server, asyncio.timeout(20):
        client = await nats.connect(f"nats://{LOOPBACK}:{server.sockets[0].getsockname()[1]}")
        await client.subscribe("music.events.>")
        await flush(client)
        assert b"PING" in commands[commands.index(b"SUB") :]
        await client.close()


async def test_a_frozen_broker_does_not_delay_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bus.CLOSING", 0.2)
    broken_off = asyncio.Event()

    async def greet_and_stand_still(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Behave like a broker that freezes after the handshake: read nothing more."""
        writer.write(b"INFO " + json.dumps(INFO).encode() + b"\r\n")
        while not (await reader.readline()).startswith(b"PING"):
            pass
        writer.write(b"PONG\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await broken_off.wait()
        writer.transport.abort()

    server = await asyncio.start_server(greet_and_stand_still, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(20):
        async with open_bus() as bus:
            running = asyncio.create_task(bus.run(f"nats://{LOOPBACK}:{port}", "test"))

            async def connected() -> bool:
                return bus.client.is_connected

            await eventually(connected, "the connection stands")

            async def pour() -> None:
                with suppress(ConnectionClosedError):
                    for _ in range(64):
                        await bus.client.publish("flood", bytes(2**20))

            pouring = asyncio.create_task(pour())
            await asyncio.wait({pouring}, timeout=1)
            assert not pouring.done()  # more data is pending than the connection accepts
        await end((running, pouring))
    server.close()
    broken_off.set()

    async def closed() -> bool:
        found = psutil.Process().net_connections("tcp")
        return not any(side and side.port == port for each in found for side in (each.laddr, each.raddr))

    await eventually(closed, "both ends are closed")
