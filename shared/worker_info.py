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


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's announcement on `music.workers.<worker_id>`, every two seconds and at each change.

    `busy` counts jobs in slots, `running` also those that are being stored.
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


class DrainRequest(msgspec.Struct, frozen=True):
    """An operator's request to a worker: take no more jobs, the same and then end, or take jobs again."""

    action: Literal["drain", "end", "undrain"]
