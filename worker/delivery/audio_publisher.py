"""Publishes a job's audio while it is generated, for live playback.

The raw mix of a model that writes scores is mastered on its way; other audio is published as it is. The stored file is
authoritative, so an error here neither fails nor delays the job: audio that cannot be published is dropped, and
listeners see a gap in `seq`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import nats.errors
import numpy as np

from shared import subjects
from shared.audio_chunk import SAMPLE_BYTES, AudioChunk, pack_chunk
from shared.bus import Bus
from shared.errors import UnavailableError
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import Recipe
from worker.delivery.preview import Preview
from worker.engine.interface import ModelInfo, Samples
from worker.lease import Lease
from worker.production.fade import fades_out

log = get_logger(__name__)

# Bytes of samples in a message; NATS limits messages to a megabyte.
MAX_MESSAGE_BYTES = 500_000
# Seconds for which an attempt waits at its end until all audio is published.
FINISH_TIMEOUT = 2.0


class AudioPublisher:
    """The audio of one attempt, on `music.audio.<job_id>`. Nothing is published once the lease is lost."""

    def __init__(self, bus: Bus, lease: Lease, info: ModelInfo) -> None:
        self._bus = bus
        self._lease = lease
        self._info = info
        self._subject = subjects.audio_subject(lease.record.job_id)
        self._attempt = lease.record.attempts
        self._seq = 0
        self._first_sample = 0
        self._dropped = 0
        self._preview = _preview(lease.record.recipe, info)
        # Chunks of the engine, and None at the end.
        self._waiting: asyncio.Queue[Samples | None] = asyncio.Queue()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Publish during the block. Audio that is still queued at its end is dropped; call `drained` first."""
        task = asyncio.create_task(self._publish_all())
        try:
            yield
        finally:
            await end((task,))

    def add(self, samples: Samples) -> None:
        """Queue the next samples: float32 of shape [frames, channels]."""
        self._waiting.put_nowait(samples)

    def finish(self) -> None:
        """Queue the message that ends the audio."""
        self._waiting.put_nowait(None)

    async def drained(self) -> None:
        """Wait until all audio is published, for `FINISH_TIMEOUT` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_TIMEOUT):
                await self._waiting.join()

    async def _publish_all(self) -> None:
        while True:
            samples = await self._waiting.get()
            await self._publish_chunk(samples)
            self._waiting.task_done()

    async def _publish_chunk(self, samples: Samples | None) -> None:
        final = await self._mastered(samples)
        if self._lease.taken_over.is_set():
            return
        frames = MAX_MESSAGE_BYTES // (SAMPLE_BYTES * self._info.channels)
        for start in range(0, len(final), frames):
            await self._publish(final[start : start + frames])
        if samples is None:
            await self._publish(final[:0], last=True)

    async def _mastered(self, samples: Samples | None) -> Samples:
        """The samples that are final once the engine has made these; None ends the audio."""
        if self._preview is None:
            return np.empty((0, self._info.channels), np.float32) if samples is None else samples
        if samples is None:
            return await asyncio.to_thread(self._preview.finish)
        return await asyncio.to_thread(self._preview.push, samples)

    async def _publish(self, samples: Samples, *, last: bool = False) -> None:
        header = AudioChunk(
            job_id=self._lease.record.job_id,
            seq=self._seq,
            attempt=self._attempt,
            first_sample=self._first_sample,
            frames=len(samples),
            sample_rate=self._info.sample_rate,
            channels=self._info.channels,
            last=last,
        )
        self._seq += 1
        self._first_sample += len(samples)
        data = pack_chunk(header, samples.astype("<f4").tobytes())
        try:
            # Each message is confirmed before the next one is sent: events share the connection and must not wait
            # behind audio. Not flush(): a pong after its timeout ends nats-py's read loop.
            await self._bus.require().publish(self._subject, data)
        except (UnavailableError, nats.errors.Error, ConnectionError) as error:
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        self._dropped += 1
        if self._dropped == 1:
            log.warning(
                "audio not published; the file will have it", job_id=self._lease.record.job_id, error=repr(error)
            )


def _preview(recipe: Recipe, info: ModelInfo) -> Preview | None:
    if not info.outputs:
        return None
    frames = round(recipe.duration * info.sample_rate)
    return Preview(info.sample_rate, info.channels, frames, fades=fades_out(recipe, has_score=True))
