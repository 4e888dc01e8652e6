"""The models that jobs can name, what workers say about them, and what they can do."""

from typing import Annotated, get_args

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.http.responses import json_response
from gateway.index.worker_registry import WorkerRegistry
from gateway.services import SERVICES
from shared.audio_conditions import ConditionKind
from shared.models import audio_conditions, may_write_scores
from shared.played_score import ScoreAction
from shared.worker_info import ModelState, WorkerInfo, WorkerModel

# The state of a model is that of the worker which comes first here.
_ORDER = tuple(ModelState)


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """What requests for a model may have. Of a checkpoint folder, only its worker knows.

    Attributes:
        outputs: whether it may make MIDI and stems.
        audio: the fields of `audio` that it may take.
        score: the values of `as` in a `score` that it may take.
    """

    outputs: bool
    audio: list[ConditionKind]
    score: list[ScoreAction]


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a worker serves.

    Attributes:
        state: `loaded` if a worker can start its jobs now, `loading`, `loadable` if a job has a worker load it, or
            `failed` if no worker could load it.
        message: what the worker of that state says.
        workers: how many have it loaded.
        slots: how many jobs of it they can run at once.
        busy: how many they run now.
        abilities: what its requests may have.
    """

    name: str
    state: ModelState
    message: str
    workers: Annotated[int, Meta(ge=0)]
    slots: Annotated[int, Meta(ge=0)]
    busy: Annotated[int, Meta(ge=0)]
    abilities: Abilities


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """The body of GET /api/v1/models. `default` is the model of requests that name none."""

    default: str
    models: list[ModelReport]


async def list_models(request: web.Request) -> web.Response:
    """GET /api/v1/models."""
    services = request.app[SERVICES]
    workers = services.workers
    models = [_report(name, workers) for name in sorted(workers.models())]
    return json_response(ModelList(default=services.settings.model, models=models))


def _report(name: str, workers: WorkerRegistry) -> ModelReport:
    worker, first = min(workers.of_model(name), key=_rank)
    loaded = workers.ready(name)
    return ModelReport(
        name=name,
        state=first.state,
        message=first.message if worker.takes_jobs else worker.message,
        workers=len(loaded),
        slots=sum(each.slots for each in loaded),
        busy=sum(each.busy for each in loaded),
        abilities=abilities_of(name),
    )


def abilities_of(name: str) -> Abilities:
    """What requests for a model of this name may have."""
    writes_scores = may_write_scores(name)
    return Abilities(
        outputs=writes_scores,
        audio=list(audio_conditions(name)),
        score=list(get_args(ScoreAction)) if writes_scores else [],
    )


def _rank(served: tuple[WorkerInfo, WorkerModel]) -> tuple[bool, int]:
    worker, model = served
    return not worker.takes_jobs, _ORDER.index(model.state)
