"""Looks at every part now and then, so that /health and /metrics answer at once, whatever is away."""

import asyncio
from contextlib import suppress
from typing import Literal

import msgspec
import nats.js.errors

from gateway import metrics
from gateway.gauges import set_gauges
from gateway.job_index import JobIndex
from gateway.worker_registry import WorkerRegistry
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import UnavailableError
from shared.messages import WorkerState
from shared.storage import Storage

INTERVAL = 2.0
_RECORDS_STREAM = f"KV_{subjects.JOBS_BUCKET}"
_STREAMS = {
    "stream": subjects.JOBS_STREAM,
    "events": subjects.EVENTS_STREAM,
    "kv": _RECORDS_STREAM,
    "audio": subjects.AUDIO_STREAM,  # last: while what was deleted is made again, the others are not looked at
}

Health = Literal["healthy", "degraded", "unhealthy"]


class Component(msgspec.Struct, frozen=True):
    """One part's state, and in words what is wrong with it."""

    status: Health
    message: str = ""


class Probe:
    """The last look at NATS, its streams and S3."""

    def __init__(self, bus: Bus, storage: Storage, workers: WorkerRegistry, index: JobIndex) -> None:
        self._bus = bus
        self._storage = storage
        self._workers = workers
        self._index = index
        self._looked: dict[str, Component] = {}
        self._wake = asyncio.Event()
        self.queue_depth = 0

    async def run(self) -> None:
        """Look every two seconds, until cancelled."""
        while True:
            await asyncio.gather(self._look_at_nats(), self._look_at_s3())
            self._set_gauges()
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._wake.wait()

    async def on_connect(self) -> None:
        """NATS is back: look at once."""
        self._wake.set()

    @property
    def components(self) -> dict[str, Component]:
        """Every part as it was seen last; of NATS itself the state is known at any time."""
        if self._bus.client.is_connected:
            return self._looked | {"nats": Component("healthy")}
        away = Component("unhealthy", f"NATS is away ({self._bus.last_error}).")
        return self._looked | dict.fromkeys(("nats", *_STREAMS), away)

    @property
    def s3(self) -> Component:
        """S3 as it was seen last; taken for healthy before the first look."""
        return self._looked.get("s3", Component("healthy"))

    async def _look_at_nats(self) -> None:
        for name, stream in _STREAMS.items():
            try:
                info = await self._bus.require().stream_info(stream)
            except nats.js.errors.NotFoundError:
                # Without audio to hear, jobs are accepted all the same.
                status: Health = "degraded" if stream == subjects.AUDIO_STREAM else "unhealthy"
                self._mark(name, f"The stream {stream} was deleted; it is made again.", status)
                self._bus.refresh()
            except (UnavailableError, nats.js.errors.APIError, *AWAY) as error:
                self._mark(name, f"JetStream does not answer: {error}")
            else:
                self._looked[name] = Component("healthy")
                if stream == subjects.JOBS_STREAM:
                    self.queue_depth = info.state.messages
                elif stream == _RECORDS_STREAM:
                    self._index.forget_before(info.state.first_seq)

    async def _look_at_s3(self) -> None:
        try:
            await self._storage.check()
            self._looked["s3"] = Component("healthy")
        except UnavailableError as error:
            self._mark("s3", str(error), "degraded")

    def _mark(self, name: str, message: str, status: Health = "unhealthy") -> None:
        self._looked[name] = Component(status, message)

    def _set_gauges(self) -> None:
        metrics.QUEUE_DEPTH.set(self.queue_depth)
        set_gauges(self._index)
        metrics.QUEUE_AGE.set(self._index.oldest_wait())
        for name, component in self.components.items():
            metrics.COMPONENT_UP.labels(name).set(component.status == "healthy")
        for gauge in (metrics.WORKERS, metrics.SLOTS, metrics.BUSY):
            gauge.clear()
        for worker in self._workers.live():
            metrics.WORKERS.labels(worker.model, worker.state.value).inc()
            if worker.state is WorkerState.READY:
                metrics.SLOTS.labels(worker.model).inc(worker.slots)
                metrics.BUSY.labels(worker.model).inc(worker.busy)
