"""Messages about workers: what they announce, and what an operator asks of them."""

from enum import StrEnum
from typing import Literal

import msgspec

from shared.messages import ModelName, Moment


class WorkerState(StrEnum):
    """The state of a worker."""

    LOADING = "loading"
    READY = "ready"
    STOPPING = "stopping"
    DRAINING = "draining"
    FAILED = "failed"


class ModelState(StrEnum):
    """The state of a model at a worker. A loadable one is loaded when a job asks for it."""

    LOADED = "loaded"
    LOADING = "loading"
    LOADABLE = "loadable"
    FAILED = "failed"


class WorkerModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in a worker's announcement.

    `slots`, `busy` and `memory_bytes` are 0 while it is not loaded; the fields of the engine are None before it was.
    """

    name: ModelName
    state: ModelState
    message: str
    remedy: str | None = None
    slots: int = 0
    busy: int = 0
    memory_bytes: int = 0
    engine: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    checkpoint: str | None = None


# The state of the only model of a worker of an earlier version, which announces no models.
_STATES = {"loading": ModelState.LOADING, "failed": ModelState.FAILED}


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's announcement on `music.workers.<worker_id>`, every two seconds and at each change.

    `models` are all that it serves. `model` is the one that it loads at its start; `engine`, `sample_rate`, `channels`
    and `checkpoint` describe it. `slots` are those of all loaded models; `busy` counts jobs in them, `running` also
    those that are being stored.
    """

    worker_id: str
    model: ModelName
    state: WorkerState
    message: str
    device: str | None = None
    engine: str | None = None
    slots: int = 0
    busy: int = 0
    remedy: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    checkpoint: str | None = None
    started_at: Moment
    version: str
    running: int = 0
    models: tuple[WorkerModel, ...] = ()

    @property
    def takes_jobs(self) -> bool:
        """Whether it is neither stopping nor draining."""
        return self.state not in (WorkerState.STOPPING, WorkerState.DRAINING)

    def state_with(self, model: WorkerModel) -> str:
        """Its state as to one of its models: `loadable`, or one of a worker that serves this model only."""
        if not self.takes_jobs:
            return self.state.value
        return WorkerState.READY.value if model.state is ModelState.LOADED else model.state.value

    @property
    def served(self) -> tuple[WorkerModel, ...]:
        """Its models, also those of a worker of an earlier version."""
        return self.models or (
            WorkerModel(
                name=self.model,
                state=_STATES.get(self.state.value, ModelState.LOADED),
                message=self.message,
                remedy=self.remedy,
                slots=self.slots,
                busy=self.busy,
                engine=self.engine,
                sample_rate=self.sample_rate,
                channels=self.channels,
                checkpoint=self.checkpoint,
            ),
        )


class DrainRequest(msgspec.Struct, frozen=True):
    """An operator's request to a worker: take no more jobs, the same and then end, or take jobs again."""

    action: Literal["drain", "end", "undrain"]
