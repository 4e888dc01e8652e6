"""Tells the gateways that this worker lives, what it serves and how busy it is."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from shared import subjects
from shared.bus import Bus
from shared.messages import WorkerInfo, encode

INTERVAL = 2.0


class Announcer:
    """Publishes what `describe` says every two seconds, and at once after `changed`."""

    def __init__(self, bus: Bus, describe: Callable[[], WorkerInfo]) -> None:
        self._bus = bus
        self._describe = describe
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Something about the worker is new: tell it now."""
        self._changed.set()

    async def run(self) -> None:
        """Announce until cancelled."""
        while True:
            self._changed.clear()
            info = self._describe()
            await self._publish(info.worker_id, encode(info))
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._changed.wait()

    async def goodbye(self) -> None:
        """An empty announcement: this worker is gone, do not wait for its silence."""
        await self._publish(self._describe().worker_id, b"")

    async def _publish(self, worker_id: str, data: bytes) -> None:
        # While disconnected nobody would hear it, and later it would be stale.
        if self._bus.client.is_connected:
            await self._bus.client.publish(subjects.worker_subject(worker_id), data)
