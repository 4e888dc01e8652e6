"""What waits to be sent to one WebSocket client: bounded, with progress coalesced and audio after everything else."""

import asyncio
from collections import deque
from typing import NamedTuple

# Lifecycle events are few; a client that leaves this many unread has stopped reading.
LIMIT = 2048
# Bytes of audio that may wait here: eight seconds of one track. The rest waits in the stream, which costs nothing.
AUDIO_LIMIT = 1024 * 1024


class OutboxFullError(Exception):
    """The client reads too slowly to be told everything it must know."""


class Piece(NamedTuple):
    """Audio of one job, to be sent as a binary frame."""

    job_id: str
    data: bytes


class Outbox:
    """Frames in order. A newer progress of a job takes the place of one that was not sent yet."""

    def __init__(self) -> None:
        self._frames: dict[object, bytes] = {}
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
        key: object = object() if replaces is None else replaces
        self._frames.pop(key, None)
        if len(self._frames) < LIMIT:
            self._frames[key] = frame
        else:
            self._full = True
        self._filled.set()

    async def put_audio(self, piece: Piece) -> None:
        """Add audio as soon as there is room for it; a piece beyond the limit goes alone."""
        while self._audio and self._audio_size + len(piece.data) > AUDIO_LIMIT:
            self._room.clear()
            await self._room.wait()
        self._audio.append(piece)
        self._audio_size += len(piece.data)
        self._filled.set()

    def drop_audio(self, job_id: str) -> None:
        """Take back what waits of a job's audio."""
        self._audio = deque(piece for piece in self._audio if piece.job_id != job_id)
        self._audio_size = sum(len(piece.data) for piece in self._audio)
        self._room.set()
        self._note_emptiness()

    async def get(self) -> bytes | Piece:
        """The next frame, as soon as there is one: JSON text before audio, so that a track never hides an event.

        Raises:
            OutboxFullError: if a frame had to be left out.
        """
        await self._filled.wait()
        if self._full:
            raise OutboxFullError
        frame = self._frames.pop(next(iter(self._frames))) if self._frames else self._next_audio()
        self._note_emptiness()
        return frame

    def _next_audio(self) -> Piece:
        piece = self._audio.popleft()
        self._audio_size -= len(piece.data)
        self._room.set()
        return piece

    def _note_emptiness(self) -> None:
        if not (self._frames or self._audio or self._full):
            self._filled.clear()
