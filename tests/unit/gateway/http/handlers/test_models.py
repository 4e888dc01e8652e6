"""The list of models, by what workers announce, and what each of them can do."""

from typing import Any

import msgspec
import pytest

from gateway.http.handlers.models import abilities_of
from gateway.jobs.audio_requests import make_conditions
from gateway.problems import Problem
from gateway.schemas import GenerateRequest
from gateway.services import Services
from shared.audio_conditions import CONDITIONS, AudioConditions, AudioSource, ConditionKind
from shared.models import MODEL_NAMES
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
    found = {each.pop("name"): each for each in body["models"]}
    for name, each in found.items():
        assert each.pop("abilities") == msgspec.to_builtins(abilities_of(name))
    return found


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


def test_each_model_announces_what_it_can_do() -> None:
    starter, small, melody = (abilities_of(name) for name in ("starter", "small", "stereo-melody"))
    assert (starter.outputs, starter.audio) == (True, [])
    assert starter.score == ["play", "orchestrate", "accompany", "continue"]
    assert (small.outputs, small.audio, small.score) == (False, ["continue_from"], [])
    assert melody.audio == ["continue_from", "melody"]


@pytest.mark.parametrize("name", [*MODEL_NAMES, "my-checkpoint"])
@pytest.mark.parametrize("kind", CONDITIONS)
def test_audio_that_a_model_does_not_announce_is_refused(name: str, kind: ConditionKind) -> None:
    excerpt = AudioSource(audio_id="aud_abc000000000")
    request = GenerateRequest(prompt="house", audio=AudioConditions(**{kind: excerpt}))
    if kind in abilities_of(name).audio:
        assert make_conditions(request, name) == request.audio
    else:
        with pytest.raises(Problem):
            make_conditions(request, name)
