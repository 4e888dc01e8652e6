"""What waits to be sent to one WebSocket client: bounded, with progress coalesced and audio after everything else."""

import asyncio
from collections import deque
from typing import NamedTuple

from gateway.memory_budget import Buffers

# Lifecycle events are few; a client that leaves this many unread has stopped reading.
LIMIT = 2048
# Bytes of audio that may wait here: eight seconds of one track. The rest waits in the stream, which costs nothing.
AUDIO_LIMIT = 1024 * 1024


# Bytes that may wait in all outboxes together, and what a frame takes beside its text.
TOTAL = 64 * 1024 * 1024
OVERHEAD = 200


class OutboxFullError(Exception):
    """The client reads too slowly to be told everything it must know."""


class Piece(NamedTuple):
    """Audio of one job, to be sent as a binary frame."""

    job_id: str
    data: bytes


class Outbox:
    """Frames in order. A newer progress of a job takes the place of one that was not sent yet.

    Args:
        all_outboxes: counts what waits in every one of them.
    """

    def __init__(self, all_outboxes: Buffers) -> None:
        self._all = all_outboxes
        self._frames: dict[object, bytes] = {}
        self._frames_size = 0
        self._audio: deque[Piece] = deque()
        self._audio_size = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._full = False

    def put(self, frame: bytes, replaces: str | None = None) -> None:
        """Add a frame. One too many is for the reading side to notice: whoever fills the box goes on.

        Args:
            frame: the JSON text.
            replaces: what it makes obsolete, such as the earlier progress of the same job.
        """
        if self._full:
            return
        key: object = object() if replaces is None else replaces
        self._frames_size -= len(self._frames.pop(key, b""))
        if len(self._frames) < LIMIT:
            self._frames[key] = frame
            self._frames_size += len(frame)
        else:
            self._full = True
        self._filled.set()
        self._count()

    async def put_audio(self, piece: Piece) -> None:
        """Add audio as soon as there is room for it; a piece beyond the limit goes alone."""
        while self._audio and self._audio_size + len(piece.data) > AUDIO_LIMIT:
            self._room.clear()
            await self._room.wait()
        self._audio.append(piece)
        self._audio_size += len(piece.data)
        self._filled.set()
        self._count()

    def drop_audio(self, job_id: str) -> None:
        """Take back what waits of a job's audio."""
        self._audio = deque(piece for piece in self._audio if piece.job_id != job_id)
        self._audio_size = sum(len(piece.data) for piece in self._audio)
        self._room.set()
        self._note_emptiness()

    def cut(self) -> None:
        """Drop everything: all outboxes together hold too much, and this one the most. The sender learns of it."""
        self._full = True
        self.clear()
        self._filled.set()

    def clear(self) -> None:
        """Drop what waits, because the client is gone."""
        self._frames.clear()
        self._audio.clear()
        self._frames_size = self._audio_size = 0
        self._count()

    async def get(self) -> bytes | Piece:
        """The next frame, as soon as there is one: JSON text before audio, so that a track never hides an event.

        Raises:
            OutboxFullError: if a frame had to be left out.
        """
        await self._filled.wait()
        if self._full:
            raise OutboxFullError
        frame = self._next_text() if self._frames else self._next_audio()
        self._note_emptiness()
        return frame

    def _next_text(self) -> bytes:
        frame = self._frames.pop(next(iter(self._frames)))
        self._frames_size -= len(frame)
        return frame

    def _next_audio(self) -> Piece:
        piece = self._audio.popleft()
        self._audio_size -= len(piece.data)
        self._room.set()
        return piece

    def _count(self) -> None:
        self._all.note(self, self._frames_size + OVERHEAD * len(self._frames) + self._audio_size)

    def _note_emptiness(self) -> None:
        self._count()
        if not (self._frames or self._audio or self._full):
            self._filled.clear()
