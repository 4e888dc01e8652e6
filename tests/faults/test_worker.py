"""Workers that die, freeze or get SIGTERM, between steps and during them."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from shared.subjects import JOBS_STREAM
from tests.conftest import ROOT
from tests.faults.deployment import Deployment
from tests.integration.system import eventually

LIBFAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


async def test_the_next_worker_completes_the_job_of_a_killed_one(deployment: Deployment) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
    job_id = await client.submit("slow", 1.0)
    await client.until(job_id, "processing")
    worker.kill()
    await deployment.worker()
    assert (await client.until(job_id))["attempts"] == 2
    assert (await deployment.check()).completed == 1


@pytest.mark.parametrize(
    ("point", "attempts"),
    [
        pytest.param("worker.after_claim", 2, marks=pytest.mark.thorough),
        ("worker.after_put", 2),
        pytest.param("worker.after_record", 1, marks=pytest.mark.thorough),
        pytest.param("worker.after_event", 1, marks=pytest.mark.thorough),
    ],
)
async def test_a_worker_death_between_two_steps_ends_the_job_once(
    deployment: Deployment, point: str, attempts: int
) -> None:
    (client, _), doomed = await asyncio.gather(deployment.gateway(), deployment.worker(MUSICGEN_FAILPOINT=point))
    job_id = await client.submit()
    assert await doomed.until_ended() == -9
    await deployment.worker()
    assert (await client.until(job_id, "completed"))["attempts"] == attempts
    await deployment.check()


@pytest.mark.thorough
@pytest.mark.parametrize("point", ["worker.after_put", "worker.after_claim"])
async def test_a_job_cancelled_after_its_worker_died_leaves_no_files(deployment: Deployment, point: str) -> None:
    (client, _), doomed = await asyncio.gather(deployment.gateway(), deployment.worker(MUSICGEN_FAILPOINT=point))
    job_id = await client.submit()
    assert await doomed.until_ended() == -9
    assert await client.delete(job_id) == 200
    await deployment.worker()
    assert (await deployment.check()).cancelled == 1


@pytest.mark.thorough
async def test_a_worker_death_while_handing_back_strands_no_job(deployment: Deployment) -> None:
    point = "worker.after_hand_back"
    (client, _), doomed = await asyncio.gather(deployment.gateway(), deployment.worker(MUSICGEN_FAILPOINT=point))
    job_id = await client.submit("slow", 30.0)
    await client.until(job_id, "processing")
    doomed.terminate()
    assert await doomed.until_ended() == -9
    assert (await client.until(job_id, "queued"))["attempts"] == 0
    assert await client.delete(job_id) == 200
    await deployment.worker()
    assert (await deployment.check()).cancelled == 1


async def test_a_worker_that_an_operator_ends_finishes_its_job_first(deployment: Deployment) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
    job_id = await client.submit("slow", 2.0)
    await client.until(job_id, "processing")
    environment = os.environ | deployment.environment("operator") | {"PYTHONPATH": str(ROOT)}
    host = socket.gethostname().split(".")[0].lower()
    command = (sys.executable, "-m", "deploy.cli.main", "drain", "--end", host)
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.decode().splitlines()[-1].endswith(" has ended.")
    assert await worker.until_ended() == 0
    assert (await client.until(job_id, "completed"))["attempts"] == 1
    await deployment.check()


async def test_a_worker_frozen_past_its_lease_changes_nothing(deployment: Deployment) -> None:
    (client, _), frozen = await asyncio.gather(deployment.gateway(), deployment.worker())
    job_id = await client.submit("slow", 1.0)
    await client.until(job_id, "processing")
    frozen.freeze()
    await deployment.worker()
    assert (await client.until(job_id, "completed"))["attempts"] == 2
    frozen.thaw()
    # It notices the takeover and accepts new jobs.
    mates = [await client.submit() for _ in range(6)]
    assert await client.terminal_states(mates) == ["completed"] * 6
    await deployment.check()


@pytest.mark.thorough
async def test_a_frozen_worker_and_its_successor_publish_one_terminal_event(deployment: Deployment) -> None:
    """Frozen repeatedly while it completes jobs, for longer than the broker remembers message ids."""
    deployment.constants = {"shared.topology.EVENTS.duplicate_window": 0.5}
    (client, _), frozen, _ = await asyncio.gather(deployment.gateway(), deployment.worker(), deployment.worker())
    jobs = [await client.submit(prompt, 0.5) for prompt in ("tone", "slow") * 10]
    for _ in range(4):
        frozen.freeze()
        await asyncio.sleep(3)
        frozen.thaw()
        await asyncio.sleep(0.3)
    assert set(await client.terminal_states(jobs)) <= {"completed", "failed"}
    await deployment.check()


@pytest.mark.thorough
async def test_a_stopping_worker_hands_back_running_jobs(deployment: Deployment) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
    jobs = [await client.submit("slow", 1.5) for _ in range(3)]
    await client.until(jobs[1], "processing")
    worker.terminate()
    assert await worker.until_ended() == 0
    await deployment.worker()
    assert await client.terminal_states(jobs) == ["completed"] * 3
    assert [(await client.until(job_id))["attempts"] for job_id in jobs] == [1] * 3
    await deployment.check()


@pytest.mark.thorough
async def test_a_job_that_kills_its_worker_fails_after_three_attempts(deployment: Deployment) -> None:
    client, _ = await deployment.gateway()
    poison = await client.submit("assassin")
    others = [await client.submit() for _ in range(4)]
    for _ in range(3):
        assert await deployment.launch_worker(MAX_CONCURRENT_JOBS="1").until_ended() == -9
    await deployment.worker()
    status = await client.until(poison)
    assert (status["status"], status["attempts"]) == ("failed", 3)
    assert "died 3 times on this job" in status["error_message"]
    assert await client.terminal_states(others) == ["completed"] * 4
    await deployment.check()


@pytest.mark.thorough
async def test_jobs_next_to_one_that_kills_its_worker_complete(deployment: Deployment) -> None:
    """First together, then exclusively: a job that waits for its turn loses no attempt by a third death."""
    client, _ = await deployment.gateway()
    mates = [await client.submit("slow") for _ in range(2)]
    poison = await client.submit("assassin")
    mates += [await client.submit("slow")]
    for _ in range(3):
        assert await deployment.launch_worker(MAX_CONCURRENT_JOBS="4").until_ended() == -9
    await deployment.worker()
    assert (await client.until(poison))["status"] == "failed"
    assert await client.terminal_states(mates) == ["completed"] * 3
    await deployment.check()


@pytest.mark.thorough
async def test_a_job_too_large_for_memory_fails_and_the_others_complete(deployment: Deployment) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
    jobs = [await client.submit(prompt) for prompt in ("tone", "memory", "tone", "crash", "tone")]
    assert await client.terminal_states(jobs) == ["completed", "failed", "completed", "failed", "completed"]
    assert worker.exit_code is None
    await deployment.check()


@pytest.mark.thorough
@pytest.mark.skipif(LIBFAKETIME is None, reason="needs libfaketime: apt install libfaketime")
async def test_workers_with_different_clocks_keep_their_leases(deployment: Deployment) -> None:
    """By nearly as much as S3 accepts in its signatures, a quarter of an hour."""
    (client, _), *_ = await asyncio.gather(
        deployment.gateway(), deployment.worker(**skewed("+14m")), deployment.worker(**skewed("-14m"))
    )
    # The slow jobs take longer than the lease.
    jobs = [await client.submit(prompt, 2.5) for prompt in ("tone", "slow") * 4]
    assert await client.terminal_states(jobs) == ["completed"] * 8
    assert [(await client.until(job_id))["attempts"] for job_id in jobs] == [1] * 8
    await deployment.check()


@pytest.mark.thorough
@pytest.mark.skipif(LIBFAKETIME is None, reason="needs libfaketime: apt install libfaketime")
async def test_a_job_fails_with_the_reason_if_the_clock_is_an_hour_off(deployment: Deployment) -> None:
    deployment.constants = {"worker.attempt.STORE_TIMEOUT": 1.0, "worker.attempt.STORAGE_RETRY_DELAY": 0.2}
    (client, _), _ = await asyncio.gather(deployment.gateway(), deployment.worker(**skewed("+1h")))
    status = await client.until(await client.submit())
    assert (status["status"], status["attempts"]) == ("failed", 3)
    assert "Set this machine's clock" in status["error_message"]
    # Only a worker with the right clock can check storage for leftovers.
    await deployment.worker()
    await deployment.check()


@pytest.mark.skipif(LIBFAKETIME is None, reason="needs libfaketime: apt install libfaketime")
async def test_a_gateway_clock_a_week_ahead_fails_no_job(deployment: Deployment) -> None:
    """Its reconciler finds jobs of another gateway: it queues each again and fails none.

    It is not ready, because S3 refuses signatures that are a week off.
    """
    deployment.constants = {
        "gateway.jobs.reconciler.STALL_TIME": 0.2,
        "gateway.jobs.reconciler.INTERVAL": 0.1,
        "gateway.jobs.reconciler.ABSENCE": 0.0,
    }
    client, first = await deployment.gateway()
    jobs = [await client.submit("tone", 0.5) for _ in range(5)]
    first.kill()
    js = (await deployment.nats()).jetstream()
    await js.purge_stream(JOBS_STREAM)
    deployment.launch_gateway(**skewed("+7d"))

    async def are_back() -> bool:
        return (await js.stream_info(JOBS_STREAM)).state.messages == 5

    await eventually(are_back, "every job has a message again")
    (client, _), _ = await asyncio.gather(deployment.gateway(), deployment.worker())
    assert await client.terminal_states(jobs) == ["completed"] * 5
    await deployment.check()


def skewed(by: str) -> dict[str, str]:
    """The environment of a process whose wall clock is shifted `by` this much."""
    return {"LD_PRELOAD": str(LIBFAKETIME), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
