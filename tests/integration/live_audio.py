"""Live audio without a worker: publish chunks, update the record, and read a WebSocket."""

import asyncio
import json
from typing import Any

import aiohttp
from msgspec.structs import replace
from nats.js import JetStreamContext

from shared import subjects
from shared.audio_chunk import AudioChunk, pack_chunk
from shared.messages import JobStatus
from shared.publisher import publish_event
from shared.records import Records
from tests.integration.system import Api, System, eventually

Socket = aiohttp.ClientWebSocketResponse


def chunk(job_id: str, seq: int, attempt: int = 1, frames: int = 100, last: bool = False) -> bytes:
    """Audio as a worker sends it; every sample is `seq`."""
    header = AudioChunk(
        job_id=job_id,
        seq=seq,
        attempt=attempt,
        first_sample=seq * frames,
        frames=frames,
        sample_rate=32_000,
        channels=1,
        last=last,
    )
    return pack_chunk(header, bytes([seq % 256]) * frames * 4)


async def publish_chunks(js: JetStreamContext, job_id: str, *pieces: bytes) -> None:
    for data in pieces:
        await js.publish(subjects.audio_subject(job_id), data)


async def update_record(js: JetStreamContext, job_id: str, **fields: Any) -> None:
    """Change a job's record, as its worker would, and tell."""
    records = Records(await js.key_value(subjects.JOBS_BUCKET))
    entry = await records.get(job_id)
    assert entry is not None
    await publish_event(js, await records.update(entry, replace(entry.record, **fields)))


async def receive_chunks(socket: Socket, count: int) -> list[bytes]:
    """The next pieces; events in between are passed over."""
    heard: list[bytes] = []
    async with asyncio.timeout(20):
        while len(heard) < count:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                heard.append(message.data)
            else:
                assert message.type is aiohttp.WSMsgType.TEXT, message
    return heard


async def receive_frame(socket: Socket, *kinds: str) -> dict[str, Any]:
    """The next text frame of one of these types; what comes before is passed over."""
    async with asyncio.timeout(20):
        while True:
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            if message.type is aiohttp.WSMsgType.TEXT:
                frame: dict[str, Any] = json.loads(message.data)
                if frame["type"] in kinds:
                    return frame


async def subscribe(socket: Socket, job_id: str) -> None:
    await socket.send_json({"type": "subscribe", "job_id": job_id, "audio": True})


async def consumer_count(js: JetStreamContext) -> int:
    return len(await js.consumers_info(subjects.AUDIO_STREAM))


async def until_consumers(js: JetStreamContext, count: int) -> None:
    async def reached() -> bool:
        return await consumer_count(js) == count

    await eventually(reached, f"{count} consumers")


async def start_processing(system: System) -> tuple[Api, JetStreamContext, str]:
    """A gateway, JetStream for the test, and a job that is being generated."""
    api = await system.gateway()
    js = (await system.nats()).jetstream()
    job_id = await api.generate()
    await update_record(js, job_id, status=JobStatus.PROCESSING, attempts=1)
    await api.until(job_id, "processing")
    return api, js, job_id
