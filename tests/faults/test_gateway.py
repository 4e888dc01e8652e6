"""Gateways that die between two steps, and clients that race them."""

import asyncio
from typing import Any

import pytest

from tests.faults.deployment import Deployment


@pytest.mark.parametrize(
    "point", ["gateway.after_record", pytest.param("gateway.after_publish", marks=pytest.mark.thorough)]
)
async def test_a_job_completes_though_its_gateway_died_while_accepting_it(deployment: Deployment, point: str) -> None:
    (doomed, process), (client, _), _ = await asyncio.gather(
        deployment.gateway(MUSICGEN_FAILPOINT=point), deployment.gateway(), deployment.worker()
    )
    # Without a response the client repeats its request at the other gateway, with the same idempotency key.
    assert await doomed.post(key="take-1") is None
    assert await process.until_ended() == -9
    job_id = await client.submit(key="take-1")
    await client.until(job_id, "completed")
    assert (await deployment.check()).completed == 1


@pytest.mark.thorough
@pytest.mark.parametrize(("point", "fields"), [("record", {}), ("record", {"seed": 7}), ("publish", {"seed": 7})])
async def test_a_job_completes_though_the_client_never_repeats_its_request(
    deployment: Deployment, point: str, fields: dict[str, Any]
) -> None:
    """With a seed it is a follower until its message is published and its record says so."""
    (doomed, process), _ = await asyncio.gather(
        deployment.gateway(MUSICGEN_FAILPOINT=f"gateway.after_{point}"), deployment.worker()
    )
    assert await doomed.post(**fields) is None
    assert await process.until_ended() == -9
    await deployment.gateway()

    assert (await deployment.check()).completed == 1


@pytest.mark.parametrize(
    "point", ["gateway.after_publish", pytest.param("gateway.after_record", marks=pytest.mark.thorough)]
)
async def test_all_takes_complete_though_the_gateway_died_while_accepting_them(
    deployment: Deployment, point: str
) -> None:
    """It dies after it queued one of eight, or none."""
    (doomed, process), _ = await asyncio.gather(deployment.gateway(MUSICGEN_FAILPOINT=point), deployment.worker())
    assert await doomed.post(variations=8) is None
    assert await process.until_ended() == -9
    await deployment.gateway()
    assert (await deployment.check()).completed == 8


@pytest.mark.thorough
async def test_a_worker_publishes_the_cancel_of_a_gateway_that_died(deployment: Deployment) -> None:
    doomed, process = await deployment.gateway(MUSICGEN_FAILPOINT="gateway.after_cancel")
    job_id = await doomed.submit()
    assert await doomed.delete(job_id) is None
    assert await process.until_ended() == -9
    await deployment.worker()
    assert (await deployment.check()).cancelled == 1


@pytest.mark.thorough
async def test_a_gateway_killed_under_load_loses_no_accepted_job(deployment: Deployment) -> None:
    (client, process), _ = await asyncio.gather(deployment.gateway(), deployment.worker())
    for _ in range(3):
        posting = [asyncio.create_task(client.post()) for _ in range(15)]
        # The others are in flight when the first response arrives.
        await asyncio.wait(posting, return_when=asyncio.FIRST_COMPLETED)
        process.kill()
        await asyncio.gather(*posting)
        await process.start_again()
    assert (await deployment.check()).accepted >= 3


@pytest.mark.thorough
async def test_cancel_and_completion_at_once_give_one_terminal_state(deployment: Deployment) -> None:
    (client, _), _ = await asyncio.gather(deployment.gateway(), deployment.worker(MAX_CONCURRENT_JOBS="8"))

    async def race(number: int) -> None:
        job_id = await client.submit("tone", 0.5, seed=number)
        await client.until(job_id, "processing", "completed")
        await asyncio.sleep(number % 10 / 200)
        code = await client.delete(job_id, keep=number % 3 == 0)
        status = (await client.until(job_id))["status"]
        assert (code == 200) == (status == "cancelled")

    for start in range(0, 1000, 25):
        await asyncio.gather(*(race(number) for number in range(start, start + 25)))
    report = await deployment.check()
    assert report.completed + report.cancelled == 1000
    assert min(report.completed, report.cancelled) > 0
