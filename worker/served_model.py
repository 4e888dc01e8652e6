"""One of a worker's models: the lanes of its queue, its engine, and the jobs that use it."""

import time
from collections.abc import Callable

from nats.aio.msg import Msg

from shared.bus import Bus
from shared.errors import ModelUnavailableError, MusicgenError
from shared.models import expected_memory
from shared.settings import Settings
from shared.worker_info import ModelState, WorkerModel, WorkerState
from worker import metrics
from worker.engine.host.engine_host import RETRY_LOADING, EngineHost
from worker.engine.interface import EngineSettings, Tuning
from worker.lanes import JobLanes
from worker.production.engine_recipe import most_engine_seconds
from worker.slots import SlotCount

# While jobs of other models wait for its memory, a model that has jobs keeps it for a turn: this many seconds, or
# this many times what its last load took, so that loading takes at most a fifth of the time.
TURN = 30.0
TURN_IN_LOADS = 4.0


class ServedModel:
    """A model that this worker serves, loaded or not.

    Args:
        name: of its queue.
        reference: its name or folder.
        settings: of the worker.
        bus: the connection to NATS.
        on_change: called whenever its state, or the number of its jobs, changed.
        clock: returns monotonic seconds.

    Attributes:
        last_used: when a job of it last took or released a slot, or it was loaded or failed to; by `clock`.
        is_due: set until it is loaded at the start of the worker.
        yields: set while it takes no jobs, because it makes room for another model.
        queue_is_empty: whether the last look at its queue found no job to take.
    """

    def __init__(
        self,
        name: str,
        reference: str,
        settings: Settings,
        bus: Bus,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.lanes = JobLanes(bus, name)
        self.host = EngineHost(_engine_settings(settings, reference), on_change, settings.musicgen_engine_patience)
        self.slots = SlotCount(self.slot_count, self._on_slot_change)
        self.last_used = -1.0
        self.is_due = False
        self.yields = False
        self.queue_is_empty = False
        self._reference = reference
        self._max_slots = settings.max_concurrent_jobs
        self._on_change = on_change
        self._clock = clock
        self._turn_ends = 0.0
        self._failure: MusicgenError | None = None
        self._failed_at = 0.0
        self._measured = 0

    @property
    def is_resident(self) -> bool:
        """Whether it has an engine, which may be loading."""
        return self.host.is_started

    @property
    def is_idle(self) -> bool:
        """Whether no job uses its engine, or may need it again."""
        return not self.slots.users

    @property
    def takes_jobs(self) -> bool:
        return self.is_resident and self.host.ready.is_set() and not self.yields

    @property
    def has_failed(self) -> bool:
        """Whether it could not be loaded a moment ago."""
        return self._failure is not None and self._clock() - self._failed_at < RETRY_LOADING

    @property
    def may_yield(self) -> bool:
        """Whether it may make room now: it has nothing to do, or its turn is over."""
        return (self.is_idle and self.queue_is_empty) or self._clock() >= self._turn_ends

    @property
    def is_wanted(self) -> bool:
        """Whether it is to be loaded: a job waits for that, or the worker starts."""
        return bool(self.host.awaiting or self.is_due) and not (self.is_resident or self.has_failed)

    @property
    def need(self) -> int:
        """Bytes that it occupies when it is loaded: the most that it ever did, or an estimate."""
        if self.host.ready.is_set():
            self._measured = max(self._measured, self.host.memory)
        return self._measured or expected_memory(self._reference)

    def slot_count(self) -> int:
        """How many jobs it can run at once; 0 while it is not loaded."""
        return min(self.host.slots, self._max_slots) if self.is_resident else 0

    @property
    def busy(self) -> int:
        """How many jobs it runs; those that wait until it is loaded do not count."""
        return self.slots.taken if self.slot_count() else 0

    async def take(self) -> Msg | None:
        """The next job's message; otherwise as `JobLanes.take`."""
        message = await self.lanes.take()
        self.queue_is_empty = message is None
        return message

    async def load(self) -> MusicgenError | None:
        """Start the engine, and wait until it has loaded the model; returns the error if it cannot."""
        began = self._clock()
        self.is_due = self.queue_is_empty = False
        self.host.start()
        try:
            await self.host.until_settled()
        except MusicgenError as error:
            metrics.LOADS.labels(self.name, "failed").inc()
            return error
        self.last_used = self._clock()
        took = self.last_used - began
        self._failure, self._turn_ends = None, self.last_used + max(TURN, TURN_IN_LOADS * took)
        metrics.LOADS.labels(self.name, "loaded").inc()
        metrics.LOAD_SECONDS.labels(self.name).observe(took)
        return None

    async def unload(self, failure: MusicgenError | None = None) -> None:
        """End the engine. Its memory is free when this returns.

        Args:
            failure: why it could not be loaded; it is not tried again for a minute.
        """
        if failure is not None:
            self._failure, self._failed_at, self.last_used = failure, self._clock(), self._clock()
        await self.host.stop()

    def describe(self) -> WorkerModel:
        """Its part of the worker's announcement."""
        state, message, remedy = self._state()
        info = self.host.info
        return WorkerModel(
            name=self.name,
            state=state,
            message=message,
            remedy=remedy,
            slots=self.slot_count(),
            busy=self.busy,
            memory_bytes=self.host.memory,
            engine=info.engine if info else None,
            sample_rate=info.sample_rate if info else None,
            channels=info.channels if info else None,
            checkpoint=info.checkpoint if info else None,
        )

    def _state(self) -> tuple[ModelState, str, str | None]:
        host = self.host
        if self.is_resident:
            states = {WorkerState.READY: ModelState.LOADED, WorkerState.FAILED: ModelState.FAILED}
            return states.get(host.state, ModelState.LOADING), host.message, host.remedy
        if self.is_due:
            return ModelState.LOADING, host.message, None
        if self.host.awaiting:
            return ModelState.LOADING, "The worker loads it as soon as jobs of other models have made room", None
        if self._failure is not None and self.has_failed:
            remedy = self._failure.remedy if isinstance(self._failure, ModelUnavailableError) else None
            return ModelState.FAILED, str(self._failure), remedy
        return ModelState.LOADABLE, "The worker loads it for a job as soon as it has memory for it", None

    def _on_slot_change(self) -> None:
        self.last_used = self._clock()
        self._on_change()


def _engine_settings(settings: Settings, model: str) -> EngineSettings:
    return EngineSettings(
        engine=settings.musicgen_engine,
        model=model,
        device=settings.musicgen_device,
        max_slots=settings.max_concurrent_jobs,
        tuning=Tuning(
            precision=settings.musicgen_precision,
            attention=settings.musicgen_attention,
            step=settings.musicgen_step,
            graphs=settings.musicgen_graphs,
        ),
        max_duration=most_engine_seconds(settings.max_duration),
    )
