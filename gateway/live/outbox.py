"""The send queue of one WebSocket client: bounded, with progress events coalesced and audio sent last."""

import asyncio
from collections import deque
from typing import NamedTuple

from gateway.memory_budget import MemoryBudget

# Text frames. Lifecycle events are few: a client with this many unread ones has stopped reading.
MAX_FRAMES = 2048
# Queued bytes of audio: about eight seconds of one track. The rest stays in the stream.
MAX_AUDIO_BYTES = 1024 * 1024
# Bytes queued in all outboxes together.
TOTAL_LIMIT = 64 * 1024 * 1024
# The frame after the last one.
END = b""
# Bytes of memory per queued frame in addition to its text.
FRAME_OVERHEAD = 200


class OutboxFullError(Exception):
    """The client reads too slowly, and events were dropped."""


class AudioFrame(NamedTuple):
    """A binary frame with audio of one job."""

    job_id: str
    data: bytes


class Outbox:
    """Queued frames in order. A new progress event of a job replaces a queued one.

    Args:
        budget: the memory of all outboxes together.
    """

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._frames: dict[object, bytes] = {}
        self._frames_size = 0
        self._audio: deque[AudioFrame] = deque()
        self._audio_size = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._full = False

    def put(self, frame: bytes, coalesce: str | None = None) -> None:
        """Queue a text frame. If the outbox is full, the next `get` raises; the caller of `put` is not affected.

        Args:
            frame: the JSON text.
            coalesce: replace a queued frame with the same key, such as an earlier progress event of the job.
        """
        if self._full:
            return
        key: object = object() if coalesce is None else coalesce
        self._frames_size -= len(self._frames.pop(key, b""))
        if len(self._frames) < MAX_FRAMES:
            self._frames[key] = frame
            self._frames_size += len(frame)
        else:
            self._full = True
        self._filled.set()
        self._report_usage()

    async def put_audio(self, frame: AudioFrame) -> None:
        """Queue audio, and wait for space first. A frame larger than the limit is queued alone."""
        while self._audio and self._audio_size + len(frame.data) > MAX_AUDIO_BYTES:
            self._room.clear()
            await self._room.wait()
        self._audio.append(frame)
        self._audio_size += len(frame.data)
        self._filled.set()
        self._report_usage()

    def drop_audio(self, job_id: str) -> None:
        """Remove the queued audio of a job."""
        self._audio = deque(frame for frame in self._audio if frame.job_id != job_id)
        self._audio_size = sum(len(frame.data) for frame in self._audio)
        self._room.set()
        self._update()

    def evict(self) -> None:
        """Drop all frames because this is the largest outbox over the shared budget. The next `get` raises."""
        self._full = True
        self.clear()
        self._filled.set()

    def clear(self) -> None:
        """Drop all frames of a client that has left."""
        self._frames.clear()
        self._audio.clear()
        self._frames_size = self._audio_size = 0
        self._report_usage()

    async def get(self) -> bytes | AudioFrame:
        """Wait for the next frame. Text comes before audio, so that audio never delays an event.

        Raises:
            OutboxFullError: if a frame was dropped.
        """
        await self._filled.wait()
        if self._full:
            raise OutboxFullError
        frame = self._next_text() if self._frames else self._next_audio()
        self._update()
        return frame

    def _next_text(self) -> bytes:
        frame = self._frames.pop(next(iter(self._frames)))
        self._frames_size -= len(frame)
        return frame

    def _next_audio(self) -> AudioFrame:
        frame = self._audio.popleft()
        self._audio_size -= len(frame.data)
        self._room.set()
        return frame

    def _report_usage(self) -> None:
        self._budget.set_usage(self, self._frames_size + FRAME_OVERHEAD * len(self._frames) + self._audio_size)

    def _update(self) -> None:
        self._report_usage()
        if not (self._frames or self._audio or self._full):
            self._filled.clear()
