"""Several models on one worker: loaded on demand, evicted for each other, and none at another one's expense."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client import REGISTRY

from tests.integration.system import Api, RunningWorker, System, eventually
from tests.integration.test_drain import start as start_command
from worker.served_model import ServedModel

# With it, only one model has room at a time: a model that is alone may need more than the budget.
FOR_ONE = "1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds the folders of two models, first and second."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    return tmp_path


def models(folder: Path, *names: str, **changes: str) -> dict[str, str]:
    """The settings of a gateway and its workers that serve these models, by default both."""
    first, *further = (str(folder / name) for name in names or ("first", "second"))
    named = {"MUSICGEN_MODEL_SIZE": first, "WORKER_MODELS": ",".join(further)}
    return {"MUSICGEN_ENGINE": "tests.engines:load_folder", **named, **changes}


async def start(system: System, settings: dict[str, str]) -> tuple[Api, RunningWorker]:
    return await system.gateway(**settings), await system.worker(**settings)


def served(running: RunningWorker, name: str) -> ServedModel:
    return next(each for each in running.worker._models if each.name == name)


async def listed(api: Api) -> dict[str, dict[str, Any]]:
    async with api.http.get("/api/v1/models") as response:
        return {each["name"]: each for each in (await response.json())["models"]}


async def until_listed(api: Api, **states: str) -> None:
    async def are_listed() -> bool:
        return {name: each["state"] for name, each in (await listed(api)).items()} == states

    await eventually(are_listed, f"the models are {states}")


async def until_message(api: Api, job_id: str, text: str) -> dict[str, Any]:
    async def is_told() -> dict[str, Any] | None:
        status = await api.status(job_id)
        return status if text in status["message"] else None

    found: dict[str, Any] = await eventually(is_told, f"the client is told {text}")
    return found


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def completed(api: Api, jobs: Sequence[str]) -> list[dict[str, Any]]:
    return [await api.until(job_id, "completed") for job_id in jobs]


async def test_a_job_has_its_model_loaded_beside_the_first_one(system: System, folder: Path) -> None:
    api, running = await start(system, models(folder))
    await until_listed(api, first="loaded", second="loadable")
    assert (await api.health())["model_info"]["loadable"] == ["second"]
    first, second = await api.generate(model="first"), await api.generate(model="second")
    assert [each["attempts"] for each in await completed(api, [first, second])] == [1, 1]
    await until_listed(api, first="loaded", second="loaded")
    assert running.worker.describe().slots == 4
    assert (await listed(api))["second"]["slots"] == 2
    (announced,) = (await api.health())["workers"]
    assert [(each["name"], each["state"]) for each in announced["models"]] == [
        ("first", "loaded"),
        ("second", "loaded"),
    ]
    assert all(each["memory_bytes"] > 2**20 for each in announced["models"])


async def test_a_client_is_told_that_the_model_is_loading_and_may_cancel(system: System, folder: Path) -> None:
    (folder / "second" / "wait").touch()
    api, running = await start(system, models(folder))
    job_id = await api.generate(model="second")
    status = await until_message(api, job_id, "Loading the model second: Reading the weights")
    assert (status["status"], status["progress"]) == ("processing", 0.0)
    assert await api.delete(job_id) == 200

    async def is_free() -> bool:
        return running.worker.describe().running == 0

    await eventually(is_free, "the worker drops the job")
    (folder / "second" / "wait").unlink()
    await completed(api, [await api.generate(model="second")])


async def test_what_is_kept_of_a_job_whose_model_is_loading_is_nothing(system: System, folder: Path) -> None:
    (folder / "second" / "wait").touch()
    api, _ = await start(system, models(folder))
    job_id = await api.generate(model="second")
    await until_message(api, job_id, "Loading the model second")
    assert await api.delete(job_id, keep=True) == 200
    assert (await api.until(job_id, "cancelled"))["message"] == "Job cancelled; nothing was made"


async def test_an_idle_model_makes_room_and_comes_back(system: System, folder: Path) -> None:
    api, running = await start(system, models(folder, WORKER_MEMORY_BUDGET=FOR_ONE))
    evictions = count("musicgen_model_evictions_total", model="first")
    process = served(running, "first").host._process
    assert process is not None
    await completed(api, [await api.generate(model="second")])
    assert not psutil.pid_exists(process.pid)
    await until_listed(api, first="loadable", second="loaded")
    await completed(api, [await api.generate(model="first")])
    await until_listed(api, first="loaded", second="loadable")
    assert count("musicgen_model_evictions_total", model="first") == evictions + 1
    assert count("musicgen_model_loaded", model="first") == 1
    assert count("musicgen_model_loaded", model="second") == 0
    assert running.worker.describe().slots == 2


async def test_no_model_is_evicted_while_a_job_uses_it(
    system: System, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.served_model.TURN", 0.0)
    monkeypatch.setattr("worker.served_model.TURN_IN_LOADS", 0.0)
    api, _ = await start(system, models(folder, WORKER_MEMORY_BUDGET=FOR_ONE))
    first = await api.generate("slow", 3.0, model="first")
    await api.until(first, "processing")
    second = await api.generate(model="second")
    await until_message(api, second, "Waiting for jobs of other models, which make room for the model second")
    done = await completed(api, [first, second])
    assert [each["attempts"] for each in done] == [1, 1]
    assert done[0]["completed_at"] <= done[1]["completed_at"]


async def test_models_that_both_have_jobs_take_turns(
    system: System, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first model never runs out of jobs, and yet the second one's are made; without a load for each job."""
    monkeypatch.setattr("worker.served_model.TURN", 2.0)
    monkeypatch.setattr("worker.served_model.TURN_IN_LOADS", 0.0)
    names = ("first", "second")
    api, _ = await start(system, models(folder, WORKER_MEMORY_BUDGET=FOR_ONE))
    before = sum(count("musicgen_model_loads_total", model=name, outcome="loaded") for name in names)
    jobs = [await api.generate("slow", 0.5, model=name, seed=seed) for seed in range(20) for name in names]
    done = await completed(api, jobs)
    order = [each["model"] for each in sorted(done, key=lambda each: str(each["completed_at"]))]
    turns = 1 + sum(earlier != later for earlier, later in pairwise(order))
    loads = sum(count("musicgen_model_loads_total", model=name, outcome="loaded") for name in names) - before
    # Two jobs run at a time, so even turns of one round each would need no more than this.
    assert 3 <= turns <= len(jobs) / 2
    assert loads <= turns


async def test_a_model_that_cannot_be_loaded_fails_its_job_and_nothing_else(system: System, folder: Path) -> None:
    (folder / "second" / "broken").touch()
    api, running = await start(system, models(folder))
    beside = await api.generate("slow", 2.0, model="first")
    await api.until(beside, "processing")
    status = await api.until(await api.generate(model="second"), "failed")
    assert status["error_message"] == "The model was not loaded: The weights are damaged. Copy the folder again."
    await until_listed(api, first="loaded", second="failed")
    waiting = await api.generate(model="second")
    await until_message(api, waiting, "Waiting for the model second: The weights are damaged.")
    assert (await api.until(beside, "completed"))["attempts"] == 1
    assert running.worker.describe().state == "ready"


async def test_a_repaired_model_is_loaded_for_the_next_job(
    system: System, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.served_model.RETRY_LOADING", 0.5)
    (folder / "second" / "broken").touch()
    api, _ = await start(system, models(folder))
    await api.until(await api.generate(model="second"), "failed")
    (folder / "second" / "broken").unlink()
    await completed(api, [await api.generate(model="second")])


async def test_a_job_waits_for_a_model_that_cannot_be_downloaded_now(
    system: System, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.served_model.RETRY_LOADING", 0.5)
    monkeypatch.setattr("worker.attempt.STORAGE_RETRY_DELAY", 0.5)
    (folder / "second" / "away").touch()
    api, _ = await start(system, models(folder))
    job_id = await api.generate(model="second")
    await until_message(api, job_id, "The weights are damaged")
    (folder / "second" / "away").unlink()
    assert (await api.until(job_id, "completed"))["attempts"] == 1


async def test_a_model_whose_engine_dies_while_it_loads_fails_its_job_after_three_attempts(
    system: System, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.served_model.RETRY_LOADING", 0.1)
    (folder / "second" / "deadly").touch()
    api, _ = await start(system, models(folder))
    status = await api.until(await api.generate(model="second"), "failed")
    assert status["attempts"] == 3
    await completed(api, [await api.generate(model="first")])


async def test_a_first_model_that_cannot_be_loaded_leaves_the_other_one(system: System, folder: Path) -> None:
    (folder / "first" / "broken").touch()
    api, _ = await start(system, models(folder))
    await until_listed(api, first="failed", second="loadable")
    await completed(api, [await api.generate(model="second")])


async def test_a_stop_hands_back_a_job_whose_model_is_loading(system: System, folder: Path) -> None:
    (folder / "second" / "wait").touch()
    api, running = await start(system, models(folder))
    job_id = await api.generate(model="second")
    await until_message(api, job_id, "Loading the model second")
    await running.stop(grace=0.2)
    status = await api.status(job_id)
    assert (status["status"], status["attempts"]) == ("queued", 0)
    (folder / "second" / "wait").unlink()
    await system.worker(**models(folder))
    assert (await api.until(job_id, "completed"))["attempts"] == 1


async def test_a_drained_worker_loads_the_model_of_the_job_that_it_has(system: System, folder: Path) -> None:
    (folder / "second" / "wait").touch()
    api, running = await start(system, models(folder))
    job_id = await api.generate(model="second")
    await until_message(api, job_id, "Loading the model second")
    command = await start_command(system, "drain", running.worker.worker_id)
    assert command.stdout is not None
    assert b"takes no more jobs; it has 1." in await command.stdout.readline()
    later = await api.generate(model="first")
    (folder / "second" / "wait").unlink()
    out, _ = await command.communicate()
    assert b"is drained" in out
    assert [(await api.status(each))["status"] for each in (job_id, later)] == ["completed", "queued"]
    assert (await listed(api))["second"]["state"] == "loaded"


async def test_the_most_urgent_job_has_the_model_loaded(system: System, folder: Path) -> None:
    (folder / "second" / "wait").touch()
    api = await system.gateway(**models(folder))
    batch = await api.generate(model="second", priority="batch")
    urgent = await api.generate(model="second", priority="interactive")
    await system.worker(**models(folder))
    await until_message(api, urgent, "Loading the model second")
    assert (await api.status(batch))["status"] == "queued"
    (folder / "second" / "wait").unlink()
    await completed(api, [urgent, batch])


async def test_an_unknown_model_is_refused_with_the_names_of_all_there_are(system: System, folder: Path) -> None:
    api, _ = await start(system, models(folder))
    body = {"prompt": "tone", "duration": 1.0, "model": "third"}
    async with api.http.post("/api/v1/generate", json=body) as response:
        answer = await response.json()
    assert response.status == 422
    (error,) = answer["errors"]
    assert error["field"] == "model"
    assert "first" in error["message"]
    assert "second" in error["message"]
    assert "it is 'third'" in error["message"]


async def test_workers_of_one_model_each_share_a_gateway(system: System, folder: Path) -> None:
    api = await system.gateway(**models(folder))
    await asyncio.gather(*(system.worker(**models(folder, name)) for name in ("first", "second")))
    await until_listed(api, first="loaded", second="loaded")
    await completed(api, [await api.generate(model=name) for name in ("first", "second")])
