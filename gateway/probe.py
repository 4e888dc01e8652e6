"""Looks at every part now and then, so that /health and /metrics answer at once, whatever is away."""

import asyncio
from datetime import timedelta
from typing import Literal

import msgspec
import nats.js.errors

from gateway import metrics
from gateway.job_index import JobIndex
from gateway.worker_registry import WorkerRegistry
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import UnavailableError
from shared.messages import WorkerState
from shared.storage import Storage
from shared.topology import RECORD_TTL

INTERVAL = 2.0
RECORD_LIFETIME = timedelta(seconds=RECORD_TTL)

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
        self.components: dict[str, Component] = {}
        self.queue_depth = 0

    async def run(self) -> None:
        """Look every two seconds, until cancelled."""
        while True:
            await asyncio.gather(self._look_at_nats(), self._look_at_s3())
            self._set_gauges()
            self._index.expire(RECORD_LIFETIME)
            await asyncio.sleep(INTERVAL)

    @property
    def s3_is_up(self) -> bool:
        component = self.components.get("s3")
        return component is None or component.status == "healthy"

    async def _look_at_nats(self) -> None:
        try:
            js = self._bus.require()
            self.components["nats"] = Component("healthy")
            info = await js.stream_info(subjects.JOBS_STREAM)
            self.queue_depth = info.state.messages
            self.components["stream"] = Component("healthy")
            await js.stream_info(f"KV_{subjects.JOBS_BUCKET}")
            self.components["kv"] = Component("healthy")
        except UnavailableError as error:
            self._mark(("nats", "stream", "kv"), str(error))
        except nats.js.errors.NotFoundError as error:
            self._mark(("stream", "kv"), f"{error.description}: restart the gateway, which creates what is missing.")
        except AWAY as error:
            self._mark(("stream", "kv"), f"JetStream does not answer: {error!r}")

    async def _look_at_s3(self) -> None:
        try:
            await self._storage.check()
            self.components["s3"] = Component("healthy")
        except UnavailableError as error:
            self._mark(("s3",), str(error), "degraded")

    def _mark(self, names: tuple[str, ...], message: str, status: Health = "unhealthy") -> None:
        for name in names:
            self.components[name] = Component(status, message)

    def _set_gauges(self) -> None:
        metrics.QUEUE_DEPTH.set(self.queue_depth)
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
