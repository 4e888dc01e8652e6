"""A listener on NATS that records the live audio and the terminal events of all jobs."""

import asyncio
import json
from typing import Any

import numpy as np
from nats.aio.msg import Msg

from shared.audio_chunk import AudioChunk, unpack_chunk
from shared.bus import flush
from tests.integration.system import System
from worker.engine.interface import Samples

TERMINAL = {"completed", "failed", "cancelled"}


class Listener:
    """Records all jobs from the moment at which `listen` returns."""

    def __init__(self) -> None:
        self.chunks: dict[str, list[AudioChunk]] = {}
        self.terminal_events: dict[str, list[dict[str, Any]]] = {}
        self._samples: dict[str, list[Samples]] = {}
        self._something = asyncio.Condition()

    async def take_audio(self, message: Msg) -> None:
        header, pcm = unpack_chunk(message.data)
        assert message.subject == f"music.audio.{header.job_id}"
        assert len(message.data) <= 512 * 1024
        if header.seq == 0:
            self._samples[header.job_id] = []
        self._samples.setdefault(header.job_id, []).append(np.frombuffer(pcm, "<f4").reshape(-1, header.channels))
        self.chunks.setdefault(header.job_id, []).append(header)
        async with self._something:
            self._something.notify_all()

    async def take_event(self, message: Msg) -> None:
        event = json.loads(message.data)
        if event["type"] in TERMINAL:
            self.terminal_events.setdefault(event["job_id"], []).append(event)
        async with self._something:
            self._something.notify_all()

    async def until_chunks(self, job_id: str, count: int = 1) -> None:
        """Wait until `count` chunks of a job have arrived."""
        async with asyncio.timeout(30), self._something:
            await self._something.wait_for(lambda: len(self.chunks.get(job_id, ())) >= count)

    async def until_ended(self, job_id: str) -> None:
        """Wait for the terminal event of a job.

        If the worker could not publish it, a gateway does so in its second pass, after 10 to 20 seconds.
        """
        async with asyncio.timeout(60), self._something:
            await self._something.wait_for(lambda: job_id in self.terminal_events)

    def samples(self, job_id: str) -> list[Samples]:
        """The chunks of the last attempt, each float32 of shape [frames, channels]."""
        return self._samples[job_id]

    def audio(self, job_id: str) -> Samples:
        """The concatenated chunks of the last attempt."""
        return np.concatenate(self.samples(job_id))

    def check_order(self, job_id: str) -> None:
        """Check that no chunk is missing or repeated, and only the last one is marked as last."""
        position = 0
        pieces = self.chunks[job_id]
        for number, piece in enumerate(pieces):
            assert (piece.seq, piece.first_sample) == (number, position)
            assert piece.last == (number == len(pieces) - 1)
            position += piece.frames


async def listen(system: System) -> Listener:
    """Start a listener; it misses nothing published from now on."""
    listener = Listener()
    observer = await system.nats("observer")
    await observer.subscribe("music.audio.*", cb=listener.take_audio)
    await observer.subscribe("music.events.>", cb=listener.take_event)
    await flush(observer)
    return listener
