"""The worker: pulls jobs while it has free slots, runs each one as an attempt, and stops without losing any."""

import asyncio
import secrets
import socket
from contextlib import AbstractContextManager, suppress
from typing import Literal

import msgspec
import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from opentelemetry.trace import Span, SpanKind

from shared import subjects, tracing
from shared.bus import AWAY, REQUEST_TIMEOUT, Bus
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE, encode, now
from shared.micro_service import serve_state
from shared.records import Records
from shared.settings import Settings
from shared.storage import Storage
from shared.topology import ensure_streams
from shared.version import VERSION
from shared.worker_info import DrainRequest, WorkerInfo, WorkerState
from worker import metrics
from worker.announcer import Announcer
from worker.attempt import Attempt
from worker.claim import AlreadyFinished, Claimed, Claims, NotClaimed, close_finished
from worker.delivery.spool import Spool
from worker.engine.host.engine_host import CANCEL_TIMEOUT, EngineHost
from worker.engine.interface import EngineSettings, Tuning
from worker.lanes import JobLanes
from worker.lease import Lease
from worker.production.engine_recipe import most_engine_seconds
from worker.slots import Slot, SlotCount

log = get_logger(__name__)

# Seconds between two looks at an empty queue, unless a job is queued meanwhile.
LOOK_INTERVAL = 1.0
# Seconds for handing back all jobs; an engine that ignores a cancel takes up most of them.
HAND_BACK_TIMEOUT = CANCEL_TIMEOUT + 5
# Jobs that may be encoding or uploading after their slots were released.
MAX_FINISHING = 4

_decode_drain = msgspec.json.Decoder(DrainRequest).decode


class Worker:
    """One process with one model; it runs `host.slots` jobs at a time."""

    def __init__(self, settings: Settings, bus: Bus, storage: Storage) -> None:
        self._settings = settings
        self._bus = bus
        self._storage = storage
        self._spool = Spool(settings.musicgen_spool_dir)
        self._records: Records | None = None
        self._lanes = JobLanes(bus, settings.model)
        self._attempts: dict[asyncio.Task[None], Attempt] = {}
        self._handling: set[asyncio.Task[None]] = set()
        self._slots = SlotCount(self._slot_count, self._on_slot_change)
        self._room = asyncio.Event()
        self._stopping = False
        self._drain: Literal["drain", "end"] | None = None
        self._ended = asyncio.Event()
        self._pull_ended = asyncio.Event()
        self._pull_ended.set()
        self._started = now()
        self.worker_id = f"{socket.gethostname().split('.')[0].lower()}-{secrets.token_hex(4)}"
        self._claims = Claims(bus, self.worker_id, self._adopt)
        self.announcer = Announcer(bus, self.describe)
        self.host = EngineHost(
            EngineSettings(
                engine=settings.musicgen_engine,
                model=settings.musicgen_model_size,
                device=settings.musicgen_device,
                max_slots=settings.max_concurrent_jobs,
                tuning=Tuning(
                    precision=settings.musicgen_precision,
                    attention=settings.musicgen_attention,
                    step=settings.musicgen_step,
                    graphs=settings.musicgen_graphs,
                ),
                max_duration=most_engine_seconds(settings.max_duration),
            ),
            self._on_engine_change,
            hang_timeout=settings.musicgen_engine_patience,
        )
        bus.on_connect(self._prepare)
        serve_state(bus, "worker", self.describe, {"worker_id": self.worker_id, "model": settings.model})

    def describe(self) -> WorkerInfo:
        """The worker's announcement."""
        host = self.host
        state, message = host.state, host.message
        if self._stopping:
            state = WorkerState.STOPPING
        elif self._drain:
            state = WorkerState.DRAINING
            message = f"Draining: it takes no more jobs. `musicgen undrain {self.worker_id}` changes that"
        return WorkerInfo(
            worker_id=self.worker_id,
            model=self._settings.model,
            state=state,
            message=message,
            remedy=host.remedy,
            device=host.info.device if host.info else None,
            engine=host.info.engine if host.info else None,
            sample_rate=host.info.sample_rate if host.info else None,
            channels=host.info.channels if host.info else None,
            checkpoint=host.info.checkpoint if host.info else None,
            slots=self._slot_count(),
            busy=self._slots.taken,
            running=len(self._handling),
            started_at=self._started,
            version=VERSION,
        )

    async def pull(self) -> None:
        """Fetch a job whenever a slot is free, until `stop`."""
        self._pull_ended.clear()
        await self._spool.tidy()
        try:
            while not self._stopping:
                message = await self._fetch() if await self._has_room() else None
                if message is not None:
                    await self._start_task(message)
        finally:
            self._pull_ended.set()

    async def _start_task(self, message: Msg) -> None:
        # During the fetch the last slot may have gone to a job that is generated again, or a drain begun.
        if self._stopping or self._drain or not self._slots.has_free:
            await message.nak()
            return
        task = asyncio.create_task(self._with_slot(message, self._slots.take()))
        self._handling.add(task)
        task.add_done_callback(self._handled)

    async def until_ended(self) -> None:
        """Wait until an operator had the worker end, and its jobs are done."""
        await self._ended.wait()

    async def stop(self, grace: float) -> None:
        """Fetch no more jobs, let running ones finish for `grace` seconds, and hand back the rest."""
        self._stopping = True
        self._lanes.wake()
        self.announcer.changed()
        if self._handling:
            log.info("stopping", running=len(self._handling), grace=grace)
            await asyncio.wait(self._handling, timeout=grace)
        # A look at the queue that is under way would receive the jobs that are handed back.
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * REQUEST_TIMEOUT):
                await self._pull_ended.wait()
        for task, attempt in list(self._attempts.items()):
            attempt.stopping = True
            task.cancel()
        if self._handling:
            await asyncio.wait(self._handling, timeout=HAND_BACK_TIMEOUT)
        await self.announcer.goodbye()

    def _slot_count(self) -> int:
        return min(self.host.slots, self._settings.max_concurrent_jobs)

    async def _prepare(self) -> None:
        """Create or check the streams after each connection, and subscribe after the first one."""
        bucket = await ensure_streams(self._bus.js, self._settings.nats_replicas)
        await self._lanes.prepare()
        if self._records is None:
            await self._bus.client.subscribe(subjects.ALL_CANCELS, cb=self._on_cancel)
            await self._bus.client.subscribe(subjects.drain_subject(self.worker_id), cb=self._on_drain)
        self._records = Records(bucket)
        self.announcer.changed()

    async def _has_room(self) -> bool:
        """Whether a job could start now. If not, waits for a change, for half a second at most."""
        ready = self._bus.is_ready and self.host.ready.is_set() and self._drain is None
        if ready and self._slots.has_free and len(self._handling) < self._slot_count() + MAX_FINISHING:
            return True
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5 if ready else 0.1):
                await self._room.wait()
        return False

    async def _fetch(self) -> Msg | None:
        try:
            message = await self._lanes.take()
        except (nats.js.errors.APIError, *AWAY) as error:
            log.warning("fetch failed", error=repr(error))
            self._bus.refresh()  # a consumer or its stream may have been deleted
            await asyncio.sleep(0.5)
            return None
        if message is None and not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL):
                    await self._lanes.wait_for_news()
        return message

    async def _with_slot(self, message: Msg, slot: Slot) -> None:
        try:
            with self._processing(message):
                await self._claim_and_run(message, slot)
        except (UnavailableError, *AWAY) as error:
            log.warning("job put off", error=repr(error))
            with suppress(nats.errors.Error):
                await message.nak(delay=5)
        finally:
            slot.release()

    def _processing(self, message: Msg) -> AbstractContextManager[Span]:
        """The span of everything that the worker does about one delivery of a job; it continues the request's trace."""
        headers = message.headers or {}
        traceparent = headers.get(subjects.TRACEPARENT)
        structlog.contextvars.bind_contextvars(trace_id=tracing.trace_id_of(traceparent))
        attributes = {
            "messaging.system": "nats",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": message.subject,
            "messaging.destination.template": "music.jobs",
            "messaging.message.id": headers.get(subjects.MSG_ID, ""),
            "musicgen.worker.id": self.worker_id,
        }
        return tracing.remote_span("process music.jobs", SpanKind.CONSUMER, traceparent, attributes)

    async def _claim_and_run(self, message: Msg, slot: Slot) -> None:
        assert self._records is not None
        with tracing.span("claim") as span:
            result = await self._claims.claim(self._records, message)
            span.set_attribute("musicgen.claim", type(result).__name__)
        match result:
            case NotClaimed():
                pass
            case AlreadyFinished(entry):
                await self._spool.remove(entry.record.job_id)
                await close_finished(self._bus.js, message, entry, self._storage)
            case Claimed(lease):
                await self._run_attempt(lease, slot)

    async def _run_attempt(self, lease: Lease, slot: Slot) -> None:
        record = lease.record
        structlog.contextvars.bind_contextvars(job_id=record.job_id)
        tracing.describe_job(record.job_id, record.recipe.model)
        attempt = Attempt(self._bus, lease, self.host, self._storage, self._spool, slot)
        task = asyncio.current_task()
        assert task is not None
        self._attempts[task] = attempt
        try:
            await attempt.run()
        finally:
            del self._attempts[task]

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._handling.discard(task)
        self._room.set()
        self._end_if_drained()
        self.announcer.changed()
        if not task.cancelled() and task.exception() is not None:
            # A bug. The lease expires, and the broker redelivers the job.
            log.error("attempt failed unexpectedly", exc_info=task.exception())

    def _adopt(self, job_id: str, message: Msg) -> bool:
        """Replace the message of a job that already runs here: a broker that restarted redelivers running jobs."""
        for attempt in self._attempts.values():
            if attempt.lease.record.job_id == job_id:
                attempt.lease.message = message
                return True
        return False

    async def _on_cancel(self, message: Msg) -> None:
        """Check the lease at once; the record decides, not this message."""
        job_id = message.subject.rsplit(".", 1)[-1]
        for attempt in list(self._attempts.values()):
            if attempt.lease.record.job_id == job_id:
                await attempt.lease.check()

    async def _on_drain(self, message: Msg) -> None:
        try:
            action = _decode_drain(message.data).action
        except UNDECODABLE as error:
            log.warning("not a request to drain", error=str(error))
            return
        log.info("drain", action=action, running=len(self._handling))
        self._drain = None if action == "undrain" else action
        self._room.set()
        self._end_if_drained()
        self.announcer.changed()
        with suppress(nats.errors.Error):
            await message.respond(encode(self.describe()))

    def _end_if_drained(self) -> None:
        if self._drain == "end" and not self._handling:
            self._ended.set()

    def _on_slot_change(self) -> None:
        metrics.BUSY.set(self._slots.taken)
        self._room.set()
        self.announcer.changed()

    def _on_engine_change(self) -> None:
        metrics.SLOTS.set(self._slot_count())
        metrics.ENGINE_UP.set(self.host.state is WorkerState.READY)
        self._room.set()
        self.announcer.changed()
