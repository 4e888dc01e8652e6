"""The models that jobs can name, and what workers say about them."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.http.responses import json_response
from gateway.index.worker_registry import WorkerRegistry
from gateway.services import SERVICES
from shared.worker_info import ModelState, WorkerInfo, WorkerModel

# The state of a model is that of the worker which comes first here.
_ORDER = tuple(ModelState)


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a worker serves.

    Attributes:
        state: `loaded` if a worker can start its jobs now, `loading`, `loadable` if a job has a worker load it, or
            `failed` if no worker could load it.
        message: what the worker of that state says.
        workers: how many have it loaded.
        slots: how many jobs of it they can run at once.
        busy: how many they run now.
    """

    name: str
    state: ModelState
    message: str
    workers: Annotated[int, Meta(ge=0)]
    slots: Annotated[int, Meta(ge=0)]
    busy: Annotated[int, Meta(ge=0)]


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
    )


def _rank(served: tuple[WorkerInfo, WorkerModel]) -> tuple[bool, int]:
    worker, model = served
    return not worker.takes_jobs, _ORDER.index(model.state)
