"""What a worker announces about its models."""

import msgspec
import pytest

from shared.worker_info import ModelState, WorkerInfo, WorkerModel, WorkerState
from tests.unit.gateway.samples import worker

LOADED = WorkerModel(name="starter", state=ModelState.LOADED, message="Ready", slots=2)
LOADABLE = WorkerModel(name="small", state=ModelState.LOADABLE, message="It is loaded for a job")


def states(info: WorkerInfo) -> dict[str, str]:
    return {model.name: info.state_with(model) for model in info.served}


def test_a_worker_is_in_a_state_of_its_own_with_each_model() -> None:
    info = worker(models=(LOADED, LOADABLE))
    assert states(info) == {"starter": "ready", "small": "loadable"}
    assert info.takes_jobs


@pytest.mark.parametrize("state", [WorkerState.STOPPING, WorkerState.DRAINING])
def test_a_worker_that_takes_no_jobs_is_in_that_state_with_all_models(state: WorkerState) -> None:
    info = worker(state=state, models=(LOADED, LOADABLE))
    assert states(info) == {"starter": state.value, "small": state.value}
    assert not info.takes_jobs


@pytest.mark.parametrize("state", WorkerState)
def test_a_worker_of_an_earlier_version_serves_one_model_in_its_own_state(state: WorkerState) -> None:
    announced = msgspec.to_builtins(worker(state=state))
    del announced["models"]
    info = msgspec.convert(announced, WorkerInfo)
    assert states(info) == {"starter": state.value}
    assert [(each.slots, each.message) for each in info.served] == [(2, "Ready")]
