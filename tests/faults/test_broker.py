"""The broker dies, hangs, loses connections, has a full disk, or an admin deletes streams."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared import subjects
from tests.faults.deployment import Deployment, Environments
from tests.faults.services import metric
from tests.faults.small_disk import small_disk
from tests.faults.tcp_proxy import TcpProxy
from tests.integration.system import eventually
from tests.servers import Server, embedded_nats


@pytest.mark.thorough
async def test_five_kills_of_the_broker_under_load_lose_nothing(deployment: Deployment, broker: Server) -> None:
    (client, _), *_ = await asyncio.gather(deployment.gateway(), deployment.worker(), deployment.worker())
    for number in range(5):
        takes: list[dict[str, Any]] = [{"prompt": ("tone", "slow")[n % 2], "key": f"{number}-{n}"} for n in range(10)]
        posting = [asyncio.create_task(client.post(**take)) for take in takes]
        await asyncio.sleep(0.2)
        broker.kill()
        await asyncio.sleep(0.3)
        await broker.start_again()
        await asyncio.gather(*posting)
        # A refused request may still become a job; repeating it with its idempotency key gives one job.
        await asyncio.gather(*(client.submit(**take) for take in takes))
    report = await deployment.check()
    assert report.accepted == report.completed == 50


@pytest.mark.thorough
async def test_a_hung_broker_means_503_and_one_job_per_idempotency_key(deployment: Deployment, broker: Server) -> None:
    (client, _), _ = await asyncio.gather(deployment.gateway(), deployment.worker())
    running = await client.submit("slow", 2.0)
    await client.until(running, "processing")
    broker.freeze()
    assert await client.post(key="take-1") is None
    await asyncio.sleep(40)
    broker.thaw()
    job_id = await client.submit(key="take-1")
    assert await client.terminal_states([running, job_id]) == ["completed"] * 2
    assert (await deployment.check()).completed == 2


@pytest.mark.thorough
async def test_gateway_and_worker_stop_while_the_broker_hangs(deployment: Deployment, broker: Server) -> None:
    (client, gateway), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
    job_id = await client.submit("slow", 30.0)
    await client.until(job_id, "processing")
    broker.freeze()
    # Long enough for more data to be pending than the connection buffers.
    await asyncio.sleep(3)
    for process in (worker, gateway):
        process.terminate()
    assert [await process.until_ended(60) for process in (worker, gateway)] == [0, 0]
    broker.thaw()
    client, _ = await deployment.gateway()
    assert await client.delete(job_id) == 200
    await deployment.worker()
    await deployment.check()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["held up", "cut"])
async def test_a_disconnected_worker_and_its_successor_make_one_result(
    deployment: Deployment, nats_process: tuple[Server, dict[str, str]], kind: str
) -> None:
    url = urlsplit(nats_process[1]["worker"])
    proxy = await TcpProxy(url.port or 0).open()
    far = f"nats://{url.username}:{url.password}@{url.hostname}:{proxy.port}"
    (client, _), _ = await asyncio.gather(deployment.gateway(), deployment.worker(NATS_URL=far))
    jobs = [await client.submit("slow", 2.0) for _ in range(2)]
    for job_id in jobs:
        await client.until(job_id, "processing")
    proxy.stall() if kind == "held up" else await proxy.cut()
    await deployment.worker()
    assert await client.terminal_states(jobs) == ["completed"] * 2
    proxy.resume() if kind == "held up" else await proxy.open()
    more = [await client.submit() for _ in range(6)]
    assert await client.terminal_states(more) == ["completed"] * 6
    report = await deployment.check()
    assert report.completed == 8
    await proxy.cut()


@pytest.mark.parametrize(
    "deleted",
    [
        "messages",
        pytest.param("consumer", marks=pytest.mark.thorough),
        pytest.param(subjects.JOBS_STREAM, marks=pytest.mark.thorough),
    ],
)
async def test_jobs_survive_deletion_of_queue_messages_or_consumer(deployment: Deployment, deleted: str) -> None:
    client, _ = await deployment.gateway()
    worker = await deployment.worker(MAX_CONCURRENT_JOBS="1")
    jobs = [await client.submit("slow", 1.5), *[await client.submit() for _ in range(3)]]
    await client.until(jobs[0], "processing")
    js = (await deployment.nats()).jetstream()
    if deleted == "consumer":
        await js.delete_consumer(subjects.JOBS_STREAM, subjects.consumer_name("starter"))
    elif deleted == "messages":
        await js.purge_stream(subjects.JOBS_STREAM)
    else:
        await js.delete_stream(subjects.JOBS_STREAM)
    assert await client.terminal_states(jobs) == ["completed"] * 4
    assert worker.exit_code is None
    await deployment.check()


@pytest.mark.thorough
async def test_after_the_records_are_deleted_new_jobs_still_complete(deployment: Deployment) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
    await client.until(await client.submit("slow", 2.0), "processing")
    js = (await deployment.nats()).jetstream()
    await js.delete_stream(f"KV_{subjects.JOBS_BUCKET}")
    await client.until(await client.submit(), "completed")
    assert worker.exit_code is None

    async def queue_is_empty() -> bool:
        return (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 0

    await eventually(queue_is_empty, "the message of the lost job is refused")


@pytest.mark.thorough
async def test_jobs_complete_after_a_delivery_limit_was_lifted(deployment: Deployment) -> None:
    """An admin limits the deliveries of the consumer while workers run."""
    client, _ = await deployment.gateway()
    worker = await deployment.worker()
    js = (await deployment.nats()).jetstream()
    consumer = (await js.consumer_info(subjects.JOBS_STREAM, subjects.consumer_name("starter"))).config
    consumer.max_deliver = 1
    await js.add_consumer(subjects.JOBS_STREAM, consumer)
    job_id = await client.submit("slow", 2.0)
    await client.until(job_id, "processing")
    worker.kill()
    # A worker that starts under the limit refuses to run and says why.
    refused = deployment.launch_worker()
    assert await refused.until_ended() == 1
    assert "max_deliver = 1" in refused.log
    consumer.max_deliver = -1
    # The message has been given up by then.
    await asyncio.sleep(3)
    await js.add_consumer(subjects.JOBS_STREAM, consumer)
    await deployment.worker()
    await client.until(job_id, "completed")
    await deployment.check()


@pytest.mark.thorough
async def test_a_full_broker_disk_refuses_jobs_and_loses_none(s3_environment: Environments, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk", 24))
        broker, urls = embedded_nats(disk.folder)
        stack.callback(broker.kill)
        await broker.start_again()
        deployment = Deployment(tmp_path, urls, s3_environment, stack)
        client, gateway = await deployment.gateway()
        jobs = [await client.submit() for _ in range(3)]
        disk.fill()

        async def refused() -> bool:
            return await client.post(prompt="tone " * 90) is None

        await eventually(refused, "jobs are refused")

        async def obstacle() -> str | None:
            async with client.http.get(f"{client.url}/health/ready") as response:
                return (await response.json())["detail"] if response.status == 503 else None

        assert "If its disk was full, make room and restart it" in await eventually(
            obstacle, "the gateway is not ready"
        )
        assert (await metric(gateway, "musicgen_failed_writes_total") or 0) > 0
        assert await metric(gateway, "musicgen_component_up", component="kv") == 0
        disk.free()
        # As docs/operations.md says: its streams stay closed until it starts again.
        broker.kill()
        await broker.start_again()
        await deployment.worker()
        jobs.append(await client.submit())

        async def recovered() -> bool:
            return await obstacle() is None

        await eventually(recovered, "the gateway is ready again")
        assert await client.terminal_states(jobs) == ["completed"] * 4
        await deployment.check()
