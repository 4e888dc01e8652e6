"""Looks at every part now and then, so that /health and /metrics answer at once, whatever is away."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Literal

import msgspec
import nats.js.errors
from nats.js.api import StreamInfo
from prometheus_client import Gauge

from gateway import metrics
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.worker_registry import WorkerRegistry
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import BucketError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobStatus, WorkerState
from shared.storage import Storage
from shared.topology import MAX_RECORDS

log = get_logger(__name__)

CHECK_INTERVAL = 2.0
# Seconds between two trial writes that succeed; a failed one is repeated at the next look.
TRIAL_WRITE_INTERVAL = 10.0
# A part is unwell after so many bad looks in a row.
FAILURE_THRESHOLD = 2
# Without news of the records for longer than this, a gateway is not ready.
MAX_STALENESS = timedelta(seconds=10)
# So many series a gauge has by key or model. The rest is one more.
MAX_SERIES = 20
# No key and no model is called so.
OTHERS, NO_KEY = "(others)", "(none)"
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
        """Look at NATS every two seconds, until cancelled."""
        while True:
            await self._check_nats()
            self._set_gauges()
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._wake.wait()

    async def run_s3(self) -> None:
        """Look at S3 likewise. Nothing else waits for an S3 that hangs."""
        while True:
            await self._check_s3()
            await asyncio.sleep(CHECK_INTERVAL)

    async def on_connect(self) -> None:
        """NATS is back: look at once."""
        self._wake.set()

    @property
    def components(self) -> dict[str, Component]:
        """Every part as it was seen last; of NATS itself the state is known at any time."""
        if self._bus.client.is_connected:
            return self._observed | {"nats": Component("healthy")}
        away = Component("unhealthy", f"NATS is away ({self._bus.last_error}).")
        return self._observed | dict.fromkeys(("nats", *_STREAMS), away)

    @property
    def s3(self) -> Component:
        """S3 as it was seen last; taken for healthy before the first look."""
        return self._observed.get("s3", Component("healthy"))

    @property
    def not_ready_reason(self) -> str | None:
        """Why jobs cannot be accepted now; None if they can."""
        if not self._bus.is_ready:
            return f"NATS is away ({self._bus.last_error})."
        if self._index.feed_outage() > MAX_STALENESS:
            return "The job records cannot be followed; they are read again as soon as NATS lets them."
        return next((each.message for each in self._observed.values() if each.status == "unhealthy"), None)

    async def _check_nats(self) -> None:
        for name, stream in _STREAMS.items():
            try:
                info = await self._bus.require().stream_info(stream)
                if stream == _RECORDS_STREAM:
                    await self._check_records(info)
            except nats.js.errors.NotFoundError:
                # Without audio to hear, jobs are accepted all the same.
                status: Health = "degraded" if stream == subjects.AUDIO_STREAM else "unhealthy"
                self._observed[name] = Component(status, f"The stream {stream} was deleted; it is made again.")
                self._bus.refresh()
            except (UnavailableError, nats.js.errors.APIError, *AWAY) as error:
                is_told = isinstance(error, UnavailableError)
                self._record_failure(
                    name, str(error) if is_told else f"JetStream does not answer: {error or repr(error)}"
                )
            else:
                self._record_success(name)
                if stream == subjects.JOBS_STREAM:
                    self.queue_depth = info.state.messages

    async def _check_records(self, info: StreamInfo) -> None:
        self._index.forget_before(info.state.first_seq)
        # A server whose disk is full answers every question and takes nothing in.
        if time.monotonic() - self._last_trial_write >= TRIAL_WRITE_INTERVAL:
            await self._record_store.require().prove_writable()
            self._last_trial_write = time.monotonic()

    async def _check_s3(self) -> None:
        try:
            await self._storage.check()
            self._record_success("s3")
        except BucketError as error:
            # No waiting mends that, unlike an S3 that is away: the audio of each accepted job would be lost.
            self._record_failure("s3", str(error))
        except UnavailableError as error:
            self._record_failure("s3", str(error), "degraded")

    def _record_success(self, name: str) -> None:
        self._failures[name] = 0
        self._observed[name] = Component("healthy")

    def _record_failure(self, name: str, message: str, status: Health = "unhealthy") -> None:
        """A part did not do what it should. One such look may be chance, and changes nothing that was well."""
        self._failures[name] += 1
        if name not in self._observed or self._failures[name] >= FAILURE_THRESHOLD:
            self._observed[name] = Component(status, message)

    def _set_gauges(self) -> None:
        metrics.QUEUE_DEPTH.set(self.queue_depth)
        set_index_gauges(self._index)
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


def set_index_gauges(index: JobIndex) -> None:
    """Set them to what the index holds now."""
    metrics.RECORDS.set(index.count(None))
    metrics.RECORDS_LIMIT.set(MAX_RECORDS)
    metrics.RECORDS_DAMAGED.set(len(index.damaged))
    _set_by_label(metrics.QUEUED_JOBS, index.queued_by_model())
    _set_by_label(metrics.KEY_QUEUED_JOBS, _by_key(index, JobStatus.QUEUED))
    _set_by_label(metrics.KEY_RECORDS, _by_key(index, None))


def _by_key(index: JobIndex, status: JobStatus | None) -> dict[str, int]:
    owned = {owner: index.count(status, owner) for owner in index.owners()}
    return owned | {NO_KEY: index.count(status) - sum(owned.values())}


def _set_by_label(gauge: Gauge, values: Mapping[str, int]) -> None:
    most = sorted((each for each in values.items() if each[1]), key=lambda each: each[1], reverse=True)
    shown = dict(most[:MAX_SERIES])
    if rest := sum(count for _, count in most[MAX_SERIES:]):
        shown[OTHERS] = rest
    gauge.clear()
    for name, count in shown.items():
        gauge.labels(name).set(count)
