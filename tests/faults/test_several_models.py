"""A real worker process with two models: their memory, and its death while it loads one."""

import asyncio
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.client import Client
from tests.faults.deployment import Deployment
from tests.integration.system import eventually
from tests.servers import Server
from tests.unit.worker.engine.batching.conditioned import write_model

# Seconds for what a busy machine does slowly.
PATIENCE = 120.0
FOR_ONE = {"WORKER_MEMORY_BUDGET": "1"}


def engines(worker: Server) -> list[int]:
    return [child.pid for child in psutil.Process(worker.pid).children()]


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def state_of(client: Client, model: str) -> str:
    async with client.http.get(f"{client.url}/api/v1/models") as response:
        models: list[dict[str, Any]] = (await response.json())["models"]
    return next((str(each["state"]) for each in models if each["name"] == model), "not served")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings for the starter and a tiny MusicGen with random weights."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    with warnings.catch_warnings():
        # audiocraft uses a deprecated weight norm of PyTorch.
        warnings.simplefilter("ignore", FutureWarning)
        write_model(folder, 1, {"dataset.segment_duration": 30})
    return {"MUSICGEN_ENGINE": "batching", "MUSICGEN_DEVICE": "cpu", "WORKER_MODELS": str(folder)}


async def test_two_real_models_take_turns_in_the_memory_for_one(deployment: Deployment, tiny: dict[str, str]) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(**tiny), deployment.worker(**tiny, **FOR_ONE))
    (starter,) = engines(worker)
    tiny_job = await client.submit("happy piano", 2.0, model="tiny")
    assert (await client.until(tiny_job, timeout=PATIENCE))["status"] == "completed"
    (other,) = engines(worker)
    assert not is_alive(starter)
    score = await client.submit("happy piano", 2.0, model="starter")
    assert (await client.until(score, timeout=PATIENCE))["status"] == "completed"
    assert not is_alive(other)
    assert len(engines(worker)) == 1
    assert (await deployment.check()).completed == 2


async def test_two_real_models_have_room_beside_each_other(deployment: Deployment, tiny: dict[str, str]) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(**tiny), deployment.worker(**tiny))
    jobs = [await client.submit("happy piano", 2.0, model=name) for name in ("tiny", "starter", "tiny")]
    assert await client.terminal_states(jobs, PATIENCE) == ["completed"] * 3
    assert [await state_of(client, name) for name in ("starter", "tiny")] == ["loaded", "loaded"]
    assert len(engines(worker)) == 2
    assert (await deployment.check()).completed == 3


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """The settings for two models of the scripted engine, of which the second one waits while it loads."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "second" / "wait").touch()
    names = {"MUSICGEN_MODEL_SIZE": str(tmp_path / "first"), "WORKER_MODELS": str(tmp_path / "second")}
    return {"MUSICGEN_ENGINE": "tests.engines:load_folder", **names}


async def test_a_worker_killed_while_it_loads_a_model_leaves_the_job_to_the_next_one(
    deployment: Deployment, folders: dict[str, str]
) -> None:
    (client, _), doomed = await asyncio.gather(deployment.gateway(**folders), deployment.worker(**folders))
    job_id = await client.submit(model="second")
    await client.until_message(job_id, "Loading the model second")
    loading = engines(doomed)
    assert len(loading) == 2
    doomed.kill()

    async def are_gone() -> bool:
        return not any(map(is_alive, loading))

    await eventually(are_gone, "its engines end with it")
    Path(folders["WORKER_MODELS"], "wait").unlink()
    await deployment.worker(**folders)
    assert (await client.until(job_id, "completed"))["attempts"] == 2
    assert (await deployment.check()).completed == 1


async def test_an_engine_killed_while_it_loads_costs_the_other_model_nothing(
    deployment: Deployment, folders: dict[str, str]
) -> None:
    deployment.constants = {"worker.served_model.RETRY_LOADING": 0.1}
    (client, _), worker = await asyncio.gather(deployment.gateway(**folders), deployment.worker(**folders))
    (first,) = engines(worker)
    beside = await client.submit("slow", 3.0, model="first")
    job_id = await client.submit(model="second")
    await client.until_message(job_id, "Loading the model second")
    (loading,) = set(engines(worker)) - {first}
    os.kill(loading, signal.SIGKILL)
    Path(folders["WORKER_MODELS"], "wait").unlink()
    assert (await client.until(job_id, "completed"))["attempts"] == 2
    assert (await client.until(beside, "completed"))["attempts"] == 1
    assert first in engines(worker)
    assert (await deployment.check()).completed == 2
