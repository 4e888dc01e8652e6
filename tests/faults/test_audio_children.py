"""A worker that is killed while it makes a child of a take without a score, whose parent is deleted meanwhile."""

import asyncio
from typing import Any

import pytest

from tests.faults.client import Client
from tests.faults.deployment import Deployment
from tests.integration.system import eventually
from tests.integration.test_continuations import audio_model

# Enough to be killed in the middle.
SECONDS = 30.0
# Seconds for what a busy machine does slowly.
PATIENCE = 120.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return audio_model(tmp_path_factory.mktemp("models") / "tiny")


async def take(client: Client) -> dict[str, Any]:
    """A finished take of two seconds."""
    job_id = await client.submit("happy piano", 2.0, seed=1)
    return await client.until(job_id, "completed", timeout=PATIENCE)


async def extend(client: Client, parent: str) -> str:
    """An accepted child of the take."""
    url, body = f"{client.url}/api/v1/jobs/{parent}/extend", {"seconds": SECONDS, "seed": 3}
    async with client.http.post(url, json=body) as response:
        answer = await response.json()
        assert response.status == 200, answer
    client._history.note_accepted(answer["job_id"], None)
    return str(answer["job_id"])


async def until_composing(client: Client, job_id: str) -> None:
    async def is_composing() -> bool:
        found = await client.status(job_id)
        return found is not None and found["progress"] > 0

    await eventually(is_composing, "the child is being composed", PATIENCE)


async def test_the_next_worker_completes_the_child_of_a_killed_one_without_its_parent(
    deployment: Deployment,
    model: dict[str, str],
) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(**model), deployment.worker(**model))
    parent = await take(client)
    child = await extend(client, parent["job_id"])
    await until_composing(client, child)
    await deployment.storage().remove_job(parent["job_id"])
    client._history.planted |= {parent["job_id"]}
    worker.kill()
    await deployment.worker(**model)
    found = await client.until(child, "completed", timeout=PATIENCE)
    assert (found["attempts"], found["actual_duration"], found["parent"]) == (2, 2.0 + SECONDS, parent["job_id"])
    assert found["composed"]["from_seconds"] == 2.0
    assert (await deployment.check()).completed == 1


@pytest.mark.thorough
@pytest.mark.parametrize("point", ["worker.after_claim", "worker.after_put", "worker.after_record"])
async def test_a_worker_death_between_two_steps_of_a_child_ends_it_once(
    deployment: Deployment,
    model: dict[str, str],
    point: str,
) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(**model), deployment.worker(**model))
    parent = await take(client)
    worker.terminate()
    await worker.until_ended()
    doomed = await deployment.worker(MUSICGEN_FAILPOINT=point, **model)
    child = await extend(client, parent["job_id"])
    assert await doomed.until_ended(PATIENCE) == -9
    await deployment.worker(**model)
    await client.until(child, "completed", timeout=PATIENCE)
    assert (await deployment.check()).completed == 2


@pytest.mark.thorough
async def test_a_cancelled_child_ends_once_and_frees_its_worker(
    deployment: Deployment,
    model: dict[str, str],
) -> None:
    (client, _), _ = await asyncio.gather(deployment.gateway(**model), deployment.worker(**model))
    parent = await take(client)
    child = await extend(client, parent["job_id"])
    await until_composing(client, child)
    assert await client.delete(child) == 200
    assert (await client.until(child, "cancelled"))["audio_url"] is None
    assert (await take(client))["status"] == "completed"
    await deployment.check()
