"""Checks NATS and S3 periodically, so that /health and /metrics respond at once even during an outage."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal

import msgspec
import nats.js.errors
from nats.js.api import StreamInfo
from prometheus_client import Gauge

from gateway import metrics
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.waiting_jobs import ModelPriority
from gateway.index.worker_registry import WorkerRegistry
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import BucketError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobStatus
from shared.storage import Storage
from shared.topology import MAX_RECORDS
from shared.worker_info import ModelState

log = get_logger(__name__)

CHECK_INTERVAL = 2.0
# Seconds between successful trial writes; a failed one is repeated at the next check.
TRIAL_WRITE_INTERVAL = 10.0
# Consecutive failed checks before a healthy component counts as failed.
FAILURE_THRESHOLD = 2
# A gateway whose record feed is older than this is not ready.
MAX_STALENESS = timedelta(seconds=10)
# Series per gauge; further keys or models are combined in one more.
MAX_SERIES = 20
# Neither a key nor a model can have these names.
OTHERS, NO_KEY = "(others)", "(none)"
_RECORDS_STREAM = f"KV_{subjects.JOBS_BUCKET}"
_STREAMS = {
    "stream": subjects.JOBS_STREAM,
    "events": subjects.EVENTS_STREAM,
    "kv": _RECORDS_STREAM,
    "audio": subjects.AUDIO_STREAM,  # last: checks fail while the bus recreates a deleted stream
}

Health = Literal["healthy", "degraded", "unhealthy"]
Labels = tuple[str, ...]
Combine = Callable[[Iterable[float]], float]


class Component(msgspec.Struct, frozen=True):
    """The health of one component, and what is wrong with it."""

    status: Health
    message: str = ""


class Probe:
    """The latest health of NATS, its streams and S3."""

    def __init__(
        self, bus: Bus, storage: Storage, workers: WorkerRegistry, index: JobIndex, record_store: RecordStore
    ) -> None:
        self._bus = bus
        self._storage = storage
        self._workers = workers
        self._index = index
        self._record_store = record_store
        self._observed: dict[str, Component] = {}
        self._failures: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._last_trial_write = 0.0
        self.queue_depth = 0

    async def run(self) -> None:
        """Check NATS every two seconds, until cancelled."""
        while True:
            await self._check_nats()
            self._set_gauges()
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._wake.wait()

    async def run_s3(self) -> None:
        """Check S3 every two seconds, in a separate task: a hanging S3 must not delay the NATS checks."""
        while True:
            await self._check_s3()
            await asyncio.sleep(CHECK_INTERVAL)

    async def on_connect(self) -> None:
        """Check at once after a reconnect."""
        self._wake.set()

    @property
    def components(self) -> dict[str, Component]:
        """The health of each component at its last check. For the NATS connection: its health now."""
        if self._bus.client.is_connected:
            return self._observed | {"nats": Component("healthy")}
        away = Component("unhealthy", f"NATS is away ({self._bus.last_error}).")
        return self._observed | dict.fromkeys(("nats", *_STREAMS), away)

    @property
    def s3(self) -> Component:
        """The health of S3 at the last check; healthy before the first one."""
        return self._observed.get("s3", Component("healthy"))

    @property
    def not_ready_reason(self) -> str | None:
        """Why the gateway cannot accept jobs, or None if it can."""
        if not self._bus.is_ready:
            return f"NATS is away ({self._bus.last_error})."
        if self._index.feed_outage() > MAX_STALENESS:
            return "The job records cannot be followed. The gateway reads them again when NATS allows it."
        return next((each.message for each in self._observed.values() if each.status == "unhealthy"), None)

    async def _check_nats(self) -> None:
        for name, stream in _STREAMS.items():
            try:
                info = await self._bus.require().stream_info(stream)
                if stream == _RECORDS_STREAM:
                    await self._check_records(info)
            except nats.js.errors.NotFoundError:
                # Live audio is optional: jobs are accepted without it.
                status: Health = "degraded" if stream == subjects.AUDIO_STREAM else "unhealthy"
                self._observed[name] = Component(status, f"The stream {stream} was deleted. The gateway recreates it.")
                self._bus.refresh()
            except (UnavailableError, nats.js.errors.APIError, *AWAY) as error:
                is_explained = isinstance(error, UnavailableError)
                message = str(error) if is_explained else f"JetStream does not answer: {error or repr(error)}"
                self._record_failure(name, message)
            else:
                self._record_success(name)
                if stream == subjects.JOBS_STREAM:
                    self.queue_depth = info.state.messages

    async def _check_records(self, info: StreamInfo) -> None:
        self._index.forget_before(info.state.first_seq)
        # A server with a full disk still answers requests, but stores nothing.
        if time.monotonic() - self._last_trial_write >= TRIAL_WRITE_INTERVAL:
            await self._record_store.require().prove_writable()
            self._last_trial_write = time.monotonic()

    async def _check_s3(self) -> None:
        try:
            await self._storage.check()
            self._record_success("s3")
        except BucketError as error:
            # A missing bucket does not come back by itself: the audio of each accepted job would be lost.
            self._record_failure("s3", str(error))
        except UnavailableError as error:
            self._record_failure("s3", str(error), "degraded")

    def _record_success(self, name: str) -> None:
        self._failures[name] = 0
        self._observed[name] = Component("healthy")

    def _record_failure(self, name: str, message: str, status: Health = "unhealthy") -> None:
        """Count a failed check. A single failure does not change a known state; it may be transient."""
        self._failures[name] += 1
        if name not in self._observed or self._failures[name] >= FAILURE_THRESHOLD:
            self._observed[name] = Component(status, message)

    def _set_gauges(self) -> None:
        metrics.QUEUE_DEPTH.set(self.queue_depth)
        set_index_gauges(self._index)
        for name, component in self.components.items():
            metrics.COMPONENT_UP.labels(name).set(component.status == "healthy")
        for gauge in (metrics.WORKERS, metrics.SLOTS, metrics.BUSY):
            gauge.clear()
        for worker in self._workers.live():
            for model in worker.served:
                metrics.WORKERS.labels(model.name, worker.state_with(model)).inc()
                if worker.takes_jobs and model.state is ModelState.LOADED:
                    metrics.SLOTS.labels(model.name).inc(model.slots)
                    metrics.BUSY.labels(model.name).inc(model.busy)


def set_index_gauges(index: JobIndex) -> None:
    """Set the gauges of records and queues, by model, by priority and by API key."""
    queued, ages = index.queued(), index.oldest_waits()
    _set_by_label(metrics.PRIORITY_QUEUED_JOBS, queued)
    _set_by_label(metrics.PRIORITY_AGE, ages, combine=max)
    _set_by_label(metrics.QUEUED_JOBS, _by_model(queued, sum))
    _set_by_label(metrics.QUEUE_AGE, _by_model(ages, max), combine=max)
    metrics.RECORDS.set(index.count(None))
    metrics.RECORDS_LIMIT.set(MAX_RECORDS)
    metrics.RECORDS_DAMAGED.set(len(index.damaged))
    _set_by_label(metrics.KEY_QUEUED_JOBS, _by_key(index, JobStatus.QUEUED))
    _set_by_label(metrics.KEY_RECORDS, _by_key(index, None))


def _by_key(index: JobIndex, status: JobStatus | None) -> dict[Labels, int]:
    owned: dict[Labels, int] = {(owner,): index.count(status, owner) for owner in index.owners()}
    return owned | {(NO_KEY,): index.count(status) - sum(owned.values())}


def _by_model(values: Mapping[ModelPriority, float], combine: Combine) -> dict[Labels, float]:
    models = {model for model, _ in values}
    return {(name,): combine(value for (model, _), value in values.items() if model == name) for name in models}


def _set_by_label(gauge: Gauge, values: Mapping[Any, float], combine: Combine = sum) -> None:
    """Set a gauge with the labels of each value; the smallest values share one series."""
    most = sorted((each for each in values.items() if each[1]), key=lambda each: each[1], reverse=True)
    gauge.clear()
    for labels, value in most[:MAX_SERIES]:
        gauge.labels(*labels).set(value)
    if rest := most[MAX_SERIES:]:
        others = [OTHERS] * len(rest[0][0])
        gauge.labels(*others).set(combine(value for _, value in rest))
