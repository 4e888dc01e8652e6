"""Which of a worker's models are loaded: on demand, the least recently used one out, within a memory budget.

A model's job is taken from its queue only when the model can be loaded, and has it loaded. Models make room when they
have nothing to do, or when their turn is over (`ServedModel.may_yield`); none does while jobs use it. So models that
all have jobs take turns, and those with the longest pause come first.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from shared.logs import get_logger
from shared.worker_info import ModelState, WorkerModel, WorkerState
from worker import metrics
from worker.model_memory import default_budget
from worker.served_model import ServedModel

log = get_logger(__name__)

# Seconds between two looks at engines that have died for good, unless something changes.
CHECK_INTERVAL = 1.0

# The state of a worker: that of its model whose state comes first here.
_STATES = {
    ModelState.LOADED: WorkerState.READY,
    ModelState.LOADING: WorkerState.LOADING,
    ModelState.LOADABLE: WorkerState.READY,
    ModelState.FAILED: WorkerState.FAILED,
}


class Residency:
    """Loads and evicts models, one after another.

    Args:
        models: that the worker serves; the first one is loaded at the start.
        budget: bytes for all of them together; 0 for most of the memory. A model that is alone may need more.
    """

    def __init__(self, models: Sequence[ServedModel], budget: int) -> None:
        self._models = models
        self._models[0].is_due = True
        self._budget = budget
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Look again, because something about a model changed."""
        self._changed.set()

    async def run(self) -> None:
        """Load models until cancelled; then all engines are ended.

        Raises:
            Exception: that keeps an engine from running, such as an OSError if no process can start.
        """
        try:
            while True:
                self._changed.clear()
                await self._drop_failed()
                wanted = next((each for each in self._models if each.is_wanted), None)
                if wanted is not None and await self._make_room(wanted):
                    await self._load(wanted)
                elif not await self._shrink():
                    await self._change()
        finally:
            await asyncio.gather(*(each.unload() for each in self._models))

    def loadable(self) -> list[ServedModel]:
        """The models of which a job may be taken now, to have the model loaded: the least recently used one first."""
        absent = [each for each in self._models if not each.is_resident]
        if any(each.slots.users for each in absent) or self._is_loading:
            return []  # one after another
        possible = [each for each in absent if not each.has_failed and self._victims(each) is not None]
        return sorted(possible, key=lambda each: each.last_used)

    @property
    def _is_loading(self) -> bool:
        return any(each.is_resident and not each.host.ready.is_set() for each in self._models)

    def _victims(self, model: ServedModel) -> list[ServedModel] | None:
        """The models that must be evicted to load `model`, least recently used first; None if it has to wait."""
        resident = sorted((each for each in self._models if each.is_resident), key=lambda each: each.last_used)
        free = self._bytes() - sum(each.need for each in resident)
        victims: list[ServedModel] = []
        for each in resident:
            if free >= model.need:
                break
            if each.may_yield:
                victims.append(each)
                free += each.need
        return victims if free >= model.need or len(victims) == len(resident) else None

    def _bytes(self) -> int:
        infos = (each.host.info for each in self._models if each.is_resident)
        return self._budget or default_budget(next(filter(None, infos), None))

    async def _make_room(self, model: ServedModel) -> bool:
        """Evict models so that this one fits; returns whether it does, and is still wanted."""
        victims = self._victims(model)
        return victims is not None and await self._evict(victims, lambda: model.is_wanted)

    async def _shrink(self) -> bool:
        """Evict a model if all together need more than was expected before they were loaded."""
        resident = [each for each in self._models if each.is_resident]
        if len(resident) < 2 or sum(each.need for each in resident) <= self._bytes():
            return False
        oldest = min(resident, key=lambda each: each.last_used)
        return await self._evict([oldest], lambda: not any(each.is_wanted for each in self._models))

    async def _evict(self, victims: Sequence[ServedModel], is_needed: Callable[[], bool]) -> bool:
        """End engines once no job uses them; returns False if that is no longer needed before."""
        for each in victims:
            each.yields = True
        try:
            while is_needed() and not all(each.is_idle for each in victims):
                self._changed.clear()
                await self._change()
            if not is_needed():
                return False
            for each in victims:
                log.info("evicting", model=each.name, memory=each.need)
                await each.unload()
                metrics.EVICTIONS.labels(each.name).inc()
        finally:
            for each in victims:
                each.yields = False
        return True

    async def _load(self, model: ServedModel) -> None:
        error = await model.load()
        if error is not None:
            log.error("model not loaded", model=model.name, reason=str(error))

    async def _drop_failed(self) -> None:
        """End engines that could not load their models; the engine of an only model stays, and tries again."""
        if len(self._models) == 1:
            return
        for each in self._models:
            if each.is_resident and each.host.load_error is not None:
                await each.unload(each.host.load_error)

    async def _change(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_INTERVAL):
                await self._changed.wait()
        for each in self._models:
            each.host.raise_error()


def overall_state(models: Sequence[WorkerModel]) -> tuple[WorkerState, WorkerModel]:
    """The state of the worker as a whole, and the model that its message is about."""
    order = list(_STATES)
    first = min(models, key=lambda each: order.index(each.state))
    return _STATES[first.state], first
