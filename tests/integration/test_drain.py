"""`musicgen drain` and `undrain`, as processes with the operator's credentials."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from tests.conftest import ROOT
from tests.integration.system import Api, System, eventually


async def start(system: System, *arguments: str, role: str = "operator") -> Process:
    environment = {**os.environ, "NATS_URL": system.nats_urls[role], "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "deploy.cli.main", *arguments)
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)


async def run(system: System, *arguments: str, code: int = 0, role: str = "operator") -> str:
    """The output of the command, or its error."""
    process = await start(system, *arguments, role=role)
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    assert b"Traceback" not in err
    return (out if code == 0 else err).decode()


async def state(api: Api, worker_id: str) -> str:
    workers = {each["worker_id"]: each for each in (await api.health())["workers"]}
    return str(workers[worker_id]["state"]) if worker_id in workers else "gone"


async def test_a_drained_worker_finishes_its_job_and_takes_no_more_until_it_is_undrained(system: System) -> None:
    api, running = await system.gateway(), await system.worker()
    worker_id = running.worker.worker_id
    first = await api.generate("slow", 3.0)
    await api.until(first, "processing")
    command = await start(system, "drain", worker_id)
    assert command.stdout is not None
    assert (await command.stdout.readline()).decode() == f"{worker_id} takes no more jobs; it has 1.\n"
    second = await api.generate()
    out, _ = await command.communicate()
    assert out.decode() == f"{worker_id} is drained. `musicgen undrain {worker_id}` lets it take jobs.\n"
    assert (await api.status(first))["status"] == "completed"
    waiting = await api.status(second)
    assert waiting["status"] == "queued"
    assert "takes no more jobs" in waiting["message"]
    assert await state(api, worker_id) == "draining"
    assert f"{worker_id} takes jobs again; it is ready." in await run(system, "undrain", worker_id)
    await api.until(second, "completed")


async def test_jobs_go_to_the_workers_that_are_not_drained(system: System) -> None:
    api, drained, other = await system.gateway(), await system.worker(), await system.worker()
    await run(system, "drain", drained.worker.worker_id)
    for job_id in [await api.generate("tone", 0.5) for _ in range(8)]:
        await api.until(job_id, "completed")
        entry = await (await system.records()).get(job_id)
        assert entry is not None
        assert entry.record.worker_id == other.worker.worker_id


async def test_a_host_drains_all_of_its_workers(system: System) -> None:
    await system.gateway()
    workers = [await system.worker(), await system.worker()]
    host = workers[0].worker.worker_id.rpartition("-")[0]
    said = await run(system, "drain", host)
    for each in workers:
        assert f"{each.worker.worker_id} is drained" in said


async def test_a_command_that_waits_says_that_another_one_undrained_its_worker(system: System) -> None:
    api, running = await system.gateway(), await system.worker()
    job_id = await api.generate("slow", 30.0)
    await api.until(job_id, "processing")
    command = asyncio.create_task(run(system, "drain", running.worker.worker_id, code=1))

    async def draining() -> bool:
        return await state(api, running.worker.worker_id) == "draining"

    await eventually(draining, "the worker drains")
    await run(system, "undrain", running.worker.worker_id)
    assert "takes jobs again" in await command


async def test_an_unknown_worker_is_an_error_that_names_those_there_are(system: System) -> None:
    running = await system.worker()
    said = await run(system, "drain", "nothing-0", code=1)
    assert f"Workers that answer: {running.worker.worker_id}." in said


@pytest.mark.parametrize("role", ["gateway", "observer"])
async def test_only_an_operator_may_drain(system: System, role: str) -> None:
    running = await system.worker()
    await run(system, "drain", running.worker.worker_id, role=role, code=1)
    assert running.worker.describe().state == "ready"
