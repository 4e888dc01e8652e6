"""The list of models, by what workers announce."""

from typing import Any

from gateway.services import Services
from shared.worker_info import ModelState, WorkerInfo, WorkerModel, WorkerState
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.samples import message, worker

LOADED = WorkerModel(name="starter", state=ModelState.LOADED, message="Ready", slots=2, busy=1)
LOADABLE = WorkerModel(name="small", state=ModelState.LOADABLE, message="It is loaded for a job")
FAILED = WorkerModel(name="small", state=ModelState.FAILED, message="Damaged")


async def listed(api: Api, services: Services, *workers: WorkerInfo) -> dict[str, dict[str, Any]]:
    for info in workers:
        await services.workers.on_message(message(f"music.workers.{info.worker_id}", info))
    async with api.get("/api/v1/models") as response:
        body = await response.json()
    assert response.status == 200
    assert body["default"] == "starter"
    return {each.pop("name"): each for each in body["models"]}


async def test_without_workers_there_are_no_models(api: Api, services: Services) -> None:
    assert await listed(api, services) == {}


async def test_each_model_has_the_state_of_the_worker_that_can_do_most(api: Api, services: Services) -> None:
    workers = worker("w1", models=(LOADED, FAILED)), worker("w2", models=(LOADED, LOADABLE))
    assert await listed(api, services, *workers) == {
        "small": {"state": "loadable", "message": "It is loaded for a job", "workers": 0, "slots": 0, "busy": 0},
        "starter": {"state": "loaded", "message": "Ready", "workers": 2, "slots": 4, "busy": 2},
    }


async def test_a_worker_of_an_earlier_version_announces_one_model(api: Api, services: Services) -> None:
    loading = worker("w1", state=WorkerState.LOADING, message="Reading", slots=0)
    assert await listed(api, services, loading) == {
        "starter": {"state": "loading", "message": "Reading", "workers": 0, "slots": 0, "busy": 0}
    }


async def test_the_models_of_a_draining_worker_take_no_jobs(api: Api, services: Services) -> None:
    draining = worker("w1", state=WorkerState.DRAINING, message="Draining", models=(LOADED,))
    found = (await listed(api, services, draining))["starter"]
    assert (found["message"], found["workers"]) == ("Draining", 0)
