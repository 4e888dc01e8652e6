"""What waits to be sent to one WebSocket client: bounded, with progress coalesced and audio after everything else."""

import asyncio
from collections import deque
from typing import NamedTuple

from gateway.memory_budget import MemoryBudget

# Lifecycle events are few; a client that leaves this many unread has stopped reading.
MAX_FRAMES = 2048
# Bytes of audio that may wait here: eight seconds of one track. The rest waits in the stream, which costs nothing.
MAX_AUDIO_BYTES = 1024 * 1024


# Bytes that may wait in all outboxes together, and what a frame takes beside its text.
TOTAL_LIMIT = 64 * 1024 * 1024
FRAME_OVERHEAD = 200


class OutboxFullError(Exception):
    """The client reads too slowly to be told everything it must know."""


class AudioFrame(NamedTuple):
    """Audio of one job, to be sent as a binary frame."""

    job_id: str
    data: bytes


class Outbox:
    """Frames in order. A newer progress of a job takes the place of one that was not sent yet.

    Args:
        budget: counts what waits in every one of them.
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
        """Add a frame. One too many is for the reading side to notice: whoever fills the box goes on.

        Args:
            frame: the JSON text.
            coalesce: what it makes obsolete, such as the earlier progress of the same job.
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
        """Add audio as soon as there is room for it; a frame beyond the limit goes alone."""
        while self._audio and self._audio_size + len(frame.data) > MAX_AUDIO_BYTES:
            self._room.clear()
            await self._room.wait()
        self._audio.append(frame)
        self._audio_size += len(frame.data)
        self._filled.set()
        self._report_usage()

    def drop_audio(self, job_id: str) -> None:
        """Take back what waits of a job's audio."""
        self._audio = deque(frame for frame in self._audio if frame.job_id != job_id)
        self._audio_size = sum(len(frame.data) for frame in self._audio)
        self._room.set()
        self._update()

    def evict(self) -> None:
        """Drop everything: all outboxes together hold too much, and this one the most. The sender learns of it."""
        self._full = True
        self.clear()
        self._filled.set()

    def clear(self) -> None:
        """Drop what waits, because the client is gone."""
        self._frames.clear()
        self._audio.clear()
        self._frames_size = self._audio_size = 0
        self._report_usage()

    async def get(self) -> bytes | AudioFrame:
        """The next frame, as soon as there is one: JSON text before audio, so that a track never hides an event.

        Raises:
            OutboxFullError: if a frame had to be left out.
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
