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
from shared.lifecycle import end
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
from worker.engine.host.engine_host import CANCEL_TIMEOUT
from worker.lease import Lease
from worker.residency import Residency, overall_state
from worker.served_model import ServedModel
from worker.slots import Slot

log = get_logger(__name__)

# Seconds between two looks at an empty queue, unless a job is queued meanwhile.
LOOK_INTERVAL = 1.0
# Seconds for handing back all jobs; an engine that ignores a cancel takes up most of them.
HAND_BACK_TIMEOUT = CANCEL_TIMEOUT + 5
# Jobs that may be encoding or uploading after their slots were released.
MAX_FINISHING = 4

_decode_drain = msgspec.json.Decoder(DrainRequest).decode


class Worker:
    """One process with one model or several; it runs as many jobs at a time as those that are loaded have slots."""

    def __init__(self, settings: Settings, bus: Bus, storage: Storage) -> None:
        self._settings = settings
        self._bus = bus
        self._storage = storage
        self._spool = Spool(settings.musicgen_spool_dir)
        self._records: Records | None = None
        self._models = [
            ServedModel(name, reference, settings, bus, self._on_model_change)
            for name, reference in settings.models.items()
        ]
        self.residency = Residency(self._models, settings.worker_memory_budget)
        self._attempts: dict[asyncio.Task[None], Attempt] = {}
        self._handling: set[asyncio.Task[None]] = set()
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
        bus.on_connect(self._prepare)
        metadata = {"worker_id": self.worker_id, "model": settings.model, "models": ",".join(settings.models)}
        serve_state(bus, "worker", self.describe, metadata)

    def describe(self) -> WorkerInfo:
        """The worker's announcement."""
        models = tuple(each.describe() for each in self._models)
        state, about = overall_state(models)
        message = about.message
        if self._stopping:
            state = WorkerState.STOPPING
        elif self._drain:
            state = WorkerState.DRAINING
            message = f"Draining: it takes no more jobs. `musicgen undrain {self.worker_id}` changes that"
        infos = [each.host.info for each in self._models if each.host.info]
        return WorkerInfo(
            worker_id=self.worker_id,
            model=self._settings.model,
            state=state,
            message=message,
            remedy=about.remedy,
            device=infos[0].device if infos else None,
            engine=models[0].engine,
            sample_rate=models[0].sample_rate,
            channels=models[0].channels,
            checkpoint=models[0].checkpoint,
            slots=self._slot_count(),
            busy=self._busy(),
            running=len(self._handling),
            started_at=self._started,
            version=VERSION,
            models=models,
        )

    async def pull(self) -> None:
        """Fetch a job whenever a slot is free, or its model can be loaded, until `stop`."""
        self._pull_ended.clear()
        await self._spool.tidy()
        pulling = [asyncio.create_task(self._pull(each)) for each in self._models]
        pulling.append(asyncio.create_task(self._pull_absent()))
        try:
            await asyncio.gather(*pulling)
        finally:
            await end(pulling)
            self._pull_ended.set()

    async def _pull(self, model: ServedModel) -> None:
        """Fetch jobs of a model while it is loaded."""
        while not self._stopping:
            message = await self._fetch(model) if await self._has_room(model) else None
            if message is not None:
                await self._start_task(message, model, may_start=model.takes_jobs and model.slots.has_free)

    async def _pull_absent(self) -> None:
        """Fetch a job of a model that is not loaded, whenever there is room for it; its attempt waits for the model."""
        while not self._stopping and len(self._models) > 1:
            for model in self.residency.loadable() if self._bus.is_ready and self._is_open else ():
                if message := await self._take(model):
                    await self._start_task(message, model, may_start=not model.is_resident)
                    break
            # Workers that have the model loaded look as soon as a job is queued, so most jobs are theirs.
            await asyncio.sleep(LOOK_INTERVAL)

    @property
    def _is_open(self) -> bool:
        """Whether it takes jobs at all."""
        return not self._stopping and self._drain is None

    async def _start_task(self, message: Msg, model: ServedModel, *, may_start: bool) -> None:
        # During the fetch the last slot may have gone to a job that is generated again, or the model may have begun to
        # make room, or a drain begun.
        if not (may_start and self._is_open):
            await message.nak()
            return
        task = asyncio.create_task(self._with_slot(message, model, model.slots.take()))
        self._handling.add(task)
        task.add_done_callback(self._handled)

    async def until_ended(self) -> None:
        """Wait until an operator had the worker end, and its jobs are done."""
        await self._ended.wait()

    async def stop(self, grace: float) -> None:
        """Fetch no more jobs, let running ones finish for `grace` seconds, and hand back the rest."""
        self._stopping = True
        for model in self._models:
            model.lanes.wake()
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
        return sum(each.slot_count() for each in self._models)

    def _busy(self) -> int:
        return sum(each.busy for each in self._models)

    async def _prepare(self) -> None:
        """Create or check the streams after each connection, and subscribe after the first one."""
        bucket = await ensure_streams(self._bus.js, self._settings.nats_replicas)
        for model in self._models:
            await model.lanes.prepare()
        if self._records is None:
            await self._bus.client.subscribe(subjects.ALL_CANCELS, cb=self._on_cancel)
            await self._bus.client.subscribe(subjects.drain_subject(self.worker_id), cb=self._on_drain)
        self._records = Records(bucket)
        self.announcer.changed()

    async def _has_room(self, model: ServedModel) -> bool:
        """Whether a job could start now. If not, waits for a change, for half a second at most."""
        ready = self._bus.is_ready and self._is_open and model.takes_jobs
        if ready and model.slots.has_free and len(self._handling) < self._slot_count() + MAX_FINISHING:
            return True
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5 if ready else 0.1):
                await self._room.wait()
        return False

    async def _fetch(self, model: ServedModel) -> Msg | None:
        message = await self._take(model)
        if message is None and not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL):
                    await model.lanes.wait_for_news()
        return message

    async def _take(self, model: ServedModel) -> Msg | None:
        try:
            return await model.take()
        except (nats.js.errors.APIError, *AWAY) as error:
            log.warning("fetch failed", error=repr(error))
            self._bus.refresh()  # a consumer or its stream may have been deleted
            return None

    async def _with_slot(self, message: Msg, model: ServedModel, slot: Slot) -> None:
        try:
            with self._processing(message):
                await self._claim_and_run(message, model, slot)
        except (UnavailableError, *AWAY) as error:
            log.warning("job put off", error=repr(error))
            with suppress(nats.errors.Error):
                await message.nak(delay=5)
        finally:
            slot.leave()

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

    async def _claim_and_run(self, message: Msg, model: ServedModel, slot: Slot) -> None:
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
                await self._run_attempt(lease, model, slot)

    async def _run_attempt(self, lease: Lease, model: ServedModel, slot: Slot) -> None:
        record = lease.record
        structlog.contextvars.bind_contextvars(job_id=record.job_id)
        tracing.describe_job(record.job_id, record.recipe.model)
        attempt = Attempt(self._bus, lease, model.host, self._storage, self._spool, slot)
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

    def _on_model_change(self) -> None:
        loaded = [each for each in self._models if each.host.ready.is_set()]
        metrics.SLOTS.set(self._slot_count())
        metrics.BUSY.set(self._busy())
        metrics.ENGINE_UP.set(bool(loaded))
        for each in self._models:
            metrics.LOADED.labels(each.name).set(each in loaded)
        self._room.set()
        self.residency.changed()
        self.announcer.changed()
