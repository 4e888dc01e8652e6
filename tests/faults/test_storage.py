"""S3 dies or has a full disk while audio waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.faults.deployment import Deployment, Environments
from tests.faults.small_disk import small_disk
from tests.servers import Server, embedded_s3

Store = tuple[Server, Environments]


@pytest.fixture
async def deployment(
    nats_process: tuple[Server, dict[str, str]], s3_process: Store, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """A deployment whose store the test may kill."""
    async with AsyncExitStack() as stack:
        yield Deployment(tmp_path, nats_process[1], s3_process[1], stack)


@pytest.mark.thorough
async def test_audio_finished_while_s3_is_down_is_uploaded_and_computed_once(
    deployment: Deployment, s3_process: Store
) -> None:
    (client, _), *_ = await asyncio.gather(deployment.gateway(), deployment.worker(), deployment.worker())
    s3_process[0].kill()
    jobs = [await client.submit("slow", 1.0) for _ in range(4)]
    for job_id in jobs:
        await client.until_message(job_id, "waits for S3")
    # Longer than the lease, which the workers keep extending.
    await asyncio.sleep(3)
    await s3_process[0].start_again()
    assert await client.terminal_states(jobs) == ["completed"] * 4
    assert [(await client.until(job_id))["attempts"] for job_id in jobs] == [1] * 4
    await deployment.check()


@pytest.mark.thorough
async def test_a_broker_restart_while_audio_waits_for_s3_recomputes_nothing(
    deployment: Deployment, broker: Server, s3_process: Store
) -> None:
    """The broker forgets which worker has which job, and the workers report only that they wait."""
    (client, _), *_ = await asyncio.gather(deployment.gateway(), deployment.worker(), deployment.worker())
    s3_process[0].kill()
    jobs = [await client.submit() for _ in range(3)]
    for job_id in jobs:
        await client.until_message(job_id, "waits for S3")
    broker.kill()
    await broker.start_again()
    # Long enough for other workers to check the job twice.
    await asyncio.sleep(5)
    await s3_process[0].start_again()
    assert await client.terminal_states(jobs) == ["completed"] * 3
    assert [(await client.until(job_id))["attempts"] for job_id in jobs] == [1] * 3
    await deployment.check()


@pytest.mark.thorough
async def test_a_full_s3_disk_fails_the_job_with_the_reason(
    nats_process: tuple[Server, dict[str, str]], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 128) as disk:
        store, settings = embedded_s3(disk.folder)
        async with AsyncExitStack() as stack:
            stack.callback(store.kill)
            await store.start_again()
            deployment = Deployment(tmp_path, nats_process[1], settings, stack)
            deployment.constants = {"worker.attempt.STORE_TIMEOUT": 1.0, "worker.attempt.STORAGE_RETRY_DELAY": 0.2}
            (client, _), _ = await asyncio.gather(deployment.gateway(), deployment.worker())
            await client.until(await client.submit(), "completed")
            disk.fill()
            status = await client.until(await client.submit("tone", 20.0), timeout=90)
            assert (status["status"], status["attempts"]) == ("failed", 3)
            assert "could not be stored" in status["error_message"]
            disk.free()
            await client.until(await client.submit(), "completed")
            await deployment.check()


@pytest.mark.thorough
@pytest.mark.parametrize("end", ["killed", "told to stop"])
async def test_a_worker_restarted_while_s3_is_down_uploads_its_spooled_audio(
    deployment: Deployment, s3_process: Store, tmp_path: Path, end: str
) -> None:
    spool = tmp_path / "spool"
    (client, _), worker = await asyncio.gather(deployment.gateway(), deployment.worker(MUSICGEN_SPOOL_DIR=str(spool)))
    s3_process[0].kill()
    # A worker that generates it a second time dies.
    job_id = await client.submit(f"single {tmp_path / 'marker'}", 1.0)
    await client.until_message(job_id, "waits for S3")
    worker.kill() if end == "killed" else worker.terminate()
    await worker.until_ended()
    await asyncio.gather(s3_process[0].start_again(), deployment.worker(MUSICGEN_SPOOL_DIR=str(spool)))
    status = await client.until(job_id, "completed")
    assert status["attempts"] == (2 if end == "killed" else 1)
    await deployment.check()
    assert list(spool.iterdir()) == []
