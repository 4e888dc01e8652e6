"""A backup of a running system, restored into new servers."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from shared import subjects
from shared.files import PEAKS, output_key
from shared.topology import ensure_streams
from tests.conftest import ROOT
from tests.integration.jobs import plant_finished, stored_jobs
from tests.integration.system import Api, System, eventually
from tests.servers import embedded_nats, embedded_s3

SCORING = "tests.engines:load_scoring"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch, in_containers: bool) -> None:
    if in_containers:
        pytest.skip("needs servers whose disks the test can destroy")
    monkeypatch.setattr("gateway.jobs.reconciler.STALL_TIME", 1.0)
    monkeypatch.setattr("gateway.jobs.reconciler.INTERVAL", 0.5)


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[System]:
    """Start a new NATS and S3; destroy their disks at the end."""
    (broker, urls), (store, s3) = embedded_nats(folder), embedded_s3(folder)
    try:
        await asyncio.gather(broker.start_again(), store.start_again())
        async with AsyncExitStack() as stack:
            yield System(urls, s3, stack)
    finally:
        broker.kill()
        store.kill()
        shutil.rmtree(folder)


async def admin(system: System, *arguments: str, code: int = 0) -> str:
    environment = {**os.environ, "NATS_URL": system.nats_urls["operator"], **system.s3["operator"]}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "admin", *arguments),
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    return (out + err).decode()


async def finished(api: Api, **fields: object) -> str:
    job_id = await api.generate(**fields)  # type: ignore[arg-type]
    await api.until(job_id, "completed", "failed")
    return job_id


async def terminal_events(system: System) -> dict[str, list[int]]:
    """Return the sequence numbers of the terminal events, by job."""
    js, found = (await system.nats()).jetstream(), dict[str, list[int]]()
    state = (await js.stream_info(subjects.EVENTS_STREAM)).state
    for number in range(state.first_seq, state.last_seq + 1):
        event = json.loads((await js.get_msg(subjects.EVENTS_STREAM, number)).data or b"")
        if event["type"] in ("completed", "failed", "cancelled"):
            found.setdefault(event["job_id"], []).append(event["seq"])
    return found


async def test_a_backup_of_a_running_system_restores_completely(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    async with servers(tmp_path / "first") as system:
        api = await system.gateway()
        await system.worker(MAX_CONCURRENT_JOBS="1", MUSICGEN_ENGINE=SCORING)
        done = [await finished(api, seed=1), await finished(api, seed=2, outputs=["midi", "stems"])]
        done.append(await finished(api, seed=1))  # served from the result cache
        failed = await finished(api, prompt="fail")
        audio = {job_id: await api.download(job_id) for job_id in done}
        before = {job_id: await api.status(job_id) for job_id in (*done, failed)}
        running = await api.generate("slow", 8.0)
        await api.until(running, "processing")
        queued = [await api.generate(seed=seed) for seed in (5, 6)]
        js = (await system.nats()).jetstream()
        # As if this job was accepted after the queue had been copied.
        orphan = await api.generate(seed=7, cache=False)
        await js.delete_msg(subjects.JOBS_STREAM, (await js.stream_info(subjects.JOBS_STREAM)).state.last_seq)
        said = await admin(system, "backup", str(backup))
        assert said.startswith("8 records and")
        before_backup = await terminal_events(system)
        newest = (await js.stream_info(f"KV_{subjects.JOBS_BUCKET}")).state.last_seq

    async with servers(tmp_path / "second") as system:
        assert "are restored" in await admin(system, "restore", str(backup))
        api = await system.gateway()
        await system.worker(MUSICGEN_ENGINE=SCORING)
        for job_id in done:
            assert await api.download(job_id) == audio[job_id]
        for job_id, status in before.items():
            assert await api.status(job_id) == status
        for job_id in (running, *queued, orphan):
            await api.until(job_id, "completed")
            assert (await api.download(job_id))[:4] == b"RIFF"
        js = (await system.nats()).jetstream()

        async def is_empty() -> bool:
            return (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 0

        await eventually(is_empty, "the queue is empty")
        after = await terminal_events(system)
        assert set(after) == {*done, failed, running, *queued, orphan}
        assert all(len(numbers) == 1 for numbers in after.values()), after
        assert {job_id: after[job_id] for job_id in before_backup} == before_backup
        # New events continue the sequence, so clients that resume after their last event miss none.
        assert all(numbers[0] > newest - 10 for job_id, numbers in after.items() if job_id not in before_backup)
        assert set(await stored_jobs(system)) == set(after) - {failed, done[2]}


async def test_restore_marks_audio_missing_from_the_backup_as_lost(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    async with servers(tmp_path / "first") as system:
        api = await system.gateway()
        await system.worker()
        kept, lost = await finished(api, seed=1), await finished(api, seed=2)
        await system.storage().remove_job(lost)
        partial = await plant_finished(system)
        storage = system.storage()
        await asyncio.to_thread(storage._client.remove_object, storage.bucket, output_key(partial, PEAKS))
        await admin(system, "backup", str(backup))
    async with servers(tmp_path / "second") as system:
        assert "Files of 2 jobs are not in the backup" in await admin(system, "restore", str(backup))
        api = await system.gateway()
        assert (await api.download(kept))[:4] == b"RIFF"
        async with api.http.get(f"/api/v1/download/{lost}") as response:
            assert response.status == 410
            assert (await response.json())["recipe"]["seed"] == 2
        status = await api.status(partial)
        assert (status["audio_expired"], status["peaks_url"], len(status["outputs"])) == (False, None, 1)


async def test_existing_data_is_never_overwritten(tmp_path: Path) -> None:
    backup, other = tmp_path / "backup", tmp_path / "other"
    async with servers(tmp_path / "first") as system:
        await ensure_streams((await system.nats()).jetstream())
        assert "0 records" in await admin(system, "backup", str(backup))
        assert "is not empty" in await admin(system, "backup", str(backup), code=1)
        other.mkdir()
        assert "holds no complete backup" in await admin(system, "restore", str(other), code=1)
        # Empty streams, as a gateway creates them, may be replaced.
        await admin(system, "restore", str(backup))
        api = await system.gateway()
        await api.generate()
        assert "already has messages" in await admin(system, "restore", str(backup), code=1)
