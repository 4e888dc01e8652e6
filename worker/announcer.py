"""Announces the worker to the gateways: its model, its state and its free slots."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from shared import subjects
from shared.bus import Bus
from shared.messages import encode
from shared.worker_info import WorkerInfo

INTERVAL = 2.0


class Announcer:
    """Publishes the result of `describe` every two seconds, and immediately after `changed`."""

    def __init__(self, bus: Bus, describe: Callable[[], WorkerInfo]) -> None:
        self._bus = bus
        self._describe = describe
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Announce the worker now, because something about it changed."""
        self._changed.set()

    async def run(self) -> None:
        """Announce until cancelled."""
        while True:
            self._changed.clear()
            info = self._describe()
            await self._publish(info.worker_id, encode(info))
            # Not wait_for: before Python 3.12 it swallows a cancellation that coincides with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._changed.wait()

    async def goodbye(self) -> None:
        """Publish an empty announcement, so that gateways drop this worker without waiting for a timeout."""
        await self._publish(self._describe().worker_id, b"")

    async def _publish(self, worker_id: str, data: bytes) -> None:
        # nats-py would buffer it while disconnected, and later it would be outdated.
        if self._bus.client.is_connected:
            await self._bus.client.publish(subjects.worker_subject(worker_id), data)
