"""What waits to be sent to one WebSocket client: bounded, with progress coalesced."""

import asyncio

# Lifecycle events are few; a client that leaves this many unread has stopped reading.
LIMIT = 2048


class OutboxFullError(Exception):
    """The client reads too slowly to be told everything it must know."""


class Outbox:
    """Frames in order. A newer progress of a job takes the place of one that was not sent yet."""

    def __init__(self) -> None:
        self._frames: dict[object, bytes] = {}
        self._filled = asyncio.Event()
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

    async def get(self) -> bytes:
        """The next frame, as soon as there is one.

        Raises:
            OutboxFullError: if a frame had to be left out.
        """
        await self._filled.wait()
        if self._full:
            raise OutboxFullError
        key = next(iter(self._frames))
        frame = self._frames.pop(key)
        if not self._frames:
            self._filled.clear()
        return frame
