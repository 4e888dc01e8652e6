"""Live audio with slow clients, and while the broker or the stream is gone."""

import asyncio

import pytest
from nats.js.api import StorageType
from prometheus_client import REGISTRY

from gateway.http import websocket
from gateway.live.outbox import MAX_AUDIO_BYTES
from shared import subjects
from shared.errors import TopologyError
from shared.topology import ensure_streams
from tests.integration.live_audio import (
    chunk,
    consumer_count,
    publish_chunks,
    receive_chunks,
    receive_frame,
    start_processing,
    subscribe,
    until_consumers,
)
from tests.integration.system import System, eventually
from tests.servers import Server

Broker = tuple[Server, dict[str, str]]

LARGE = 200_000  # frames: 0.8 MB


async def test_a_pausing_client_loses_no_audio_and_the_gateway_buffers_little(system: System) -> None:
    api, js, job_id = await start_processing(system)
    pieces = [chunk(job_id, seq, frames=LARGE) for seq in range(60)]
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        await publish_chunks(js, job_id, *pieces)
        await asyncio.sleep(1.5)  # as long as it could take too much in
        (consumer,) = await js.consumers_info(subjects.AUDIO_STREAM)
        taken = 60 - (consumer.num_pending or 0)
        # The sockets' own buffers hold some megabytes too.
        assert taken * len(pieces[0]) < MAX_AUDIO_BYTES + 24_000_000
        assert await receive_chunks(socket, 60) == pieces


async def test_a_slow_client_loses_its_audio_before_its_events(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SEND_TIMEOUT", 3.0)
    dropped = REGISTRY.get_sample_value("musicgen_live_audio_dropped_total") or 0.0
    api, js, job_id = await start_processing(system)
    pieces = [chunk(job_id, seq, frames=LARGE) for seq in range(30)]
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        await until_consumers(js, 1)
        await publish_chunks(js, job_id, *pieces)
        await until_consumers(js, 0)
        error = await receive_frame(socket, "error")
        assert error["job_id"] == job_id
        assert "Download" in error["detail"]
        assert REGISTRY.get_sample_value("musicgen_live_audio_dropped_total") == dropped + 1
        await api.delete(job_id)
        assert (await receive_frame(socket, "cancelled"))["job_id"] == job_id
        # It may try again.
        await subscribe(socket, job_id)
        assert await receive_chunks(socket, 30) == pieces


async def test_a_client_that_never_reads_is_disconnected(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SEND_TIMEOUT", 1.0)
    dropped = REGISTRY.get_sample_value("musicgen_websockets_dropped_total") or 0.0
    api, js, job_id = await start_processing(system)
    deaf = await api.http.ws_connect(f"/ws?job_id={job_id}&audio=1")
    await publish_chunks(js, job_id, *(chunk(job_id, seq, frames=LARGE) for seq in range(30)))

    async def cut_off() -> bool:
        return not api.services.websockets

    await eventually(cut_off, "the deaf client is cut off")
    assert REGISTRY.get_sample_value("musicgen_websockets_dropped_total") == dropped + 1
    assert await consumer_count(js) == 0
    await deaf.close()


async def test_audio_continues_after_the_stream_was_deleted(system: System) -> None:
    api, js, job_id = await start_processing(system)
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        await publish_chunks(js, job_id, chunk(job_id, 0), chunk(job_id, 1))
        assert await receive_chunks(socket, 2) == [chunk(job_id, 0), chunk(job_id, 1)]
        await js.delete_stream(subjects.AUDIO_STREAM)

        async def made_again() -> bool:
            return subjects.AUDIO_STREAM in {info.config.name for info in await js.streams_info()}

        await eventually(made_again, "the stream is made again")
        assert (await api.health())["status"] != "unhealthy"
        await publish_chunks(js, job_id, chunk(job_id, 2), chunk(job_id, 3))
        assert await receive_chunks(socket, 2) == [chunk(job_id, 2), chunk(job_id, 3)]
    await until_consumers(js, 0)


async def test_audio_continues_after_a_nats_restart(isolated: System, nats_process: Broker) -> None:
    server, _ = nats_process
    api, js, job_id = await start_processing(isolated)
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        await publish_chunks(js, job_id, *(chunk(job_id, seq) for seq in range(5)))
        assert len(await receive_chunks(socket, 5)) == 5
        server.kill()
        await server.start_again()
        await api.until_ready()
        js = (await isolated.nats()).jetstream()
        # The stream was in memory: what is published now has small numbers again.
        await publish_chunks(js, job_id, chunk(job_id, 5), chunk(job_id, 6, last=True))
        assert await receive_chunks(socket, 2) == [chunk(job_id, 5), chunk(job_id, 6, last=True)]
    await until_consumers(js, 0)


async def test_a_subscription_during_a_nats_outage_gets_audio_afterwards(
    isolated: System, nats_process: Broker
) -> None:
    server, _ = nats_process
    api, _, job_id = await start_processing(isolated)
    server.kill()
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        await server.start_again()
        await api.until_ready()
        js = (await isolated.nats()).jetstream()
        await publish_chunks(js, job_id, chunk(job_id, 0))
        assert await receive_chunks(socket, 1) == [chunk(job_id, 0)]


async def test_a_nats_server_without_memory_for_audio_is_logged_with_a_remedy(system: System) -> None:
    js = (await system.nats()).jetstream()
    await js.add_stream(name="OTHER", subjects=["other"], storage=StorageType.MEMORY, max_bytes=100_000_000)
    with pytest.raises(TopologyError, match="max_memory_store"):
        await ensure_streams(js)
    await js.delete_stream("OTHER")
    await ensure_streams(js)


async def test_an_audio_stream_on_disk_is_left_as_it_is(system: System) -> None:
    js = (await system.nats()).jetstream()
    await js.add_stream(name=subjects.AUDIO_STREAM, subjects=[subjects.ALL_AUDIO], storage=StorageType.FILE)
    with pytest.raises(TopologyError, match="MUSIC_AUDIO exists with storage = file"):
        await ensure_streams(js)
