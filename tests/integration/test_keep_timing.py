"""Stopping a job and keeping its audio: midway, too early, too late, and during faults."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared import subjects
from shared.messages import EventType
from shared.storage import Storage, Upload
from tests.integration.jobs import stored_audio, stored_jobs
from tests.integration.listener import Listener, listen
from tests.integration.system import Api, RunningWorker, System, eventually
from worker.lease import Lease

RATE = 32_000
Put = Callable[[Storage, str, Path, dict[str, str]], Awaitable[Upload]]


def lose_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers learn what a gateway decided only from the records."""
    monkeypatch.setattr(subjects, "cancel_subject", lambda job_id: "music.cancel.nobody")


def before_upload(monkeypatch: pytest.MonkeyPatch, action: Callable[[str], Awaitable[None]]) -> None:
    """Have `action` called with the job's id before the first upload; later ones are undisturbed."""
    upload: Put = Storage.put_audio
    calls = 0

    async def disturbed(storage: Storage, job_id: str, file: Path, metadata: dict[str, str]) -> Upload:
        nonlocal calls
        calls += 1
        if calls == 1:
            await action(job_id)
        return await upload(storage, job_id, file, metadata)

    monkeypatch.setattr(Storage, "put_audio", disturbed)


async def until_idle(system: System, worker: RunningWorker) -> None:
    """Return when the worker has nothing to do and the queue is empty."""
    js = (await system.nats()).jetstream()

    async def idle() -> bool:
        messages = (await js.stream_info(subjects.JOBS_STREAM)).state.messages
        return worker.worker.describe().busy == 0 and not worker.worker._handling and messages == 0

    await eventually(idle, "everything is done")


async def check_kept(api: Api, listener: Listener, job_id: str) -> dict[str, Any]:
    """The job is cancelled, and what was heard of it is what its file holds; returns its status."""
    status = await api.until(job_id, "cancelled")
    audio = await stored_audio(api, job_id)
    assert np.array_equal(listener.audio(job_id), audio)
    assert status["message"] == "Job cancelled; what was made is kept"
    assert status["actual_duration"] == pytest.approx(len(audio) / RATE)
    assert status["audio_url"] == f"/api/v1/download/{job_id}"
    await listener.until_ended(job_id)
    (end,) = listener.terminal_events[job_id]
    assert (end["type"], end["audio_url"]) == ("cancelled", status["audio_url"])
    return status


async def check_nothing_kept(api: Api, system: System, listener: Listener, job_id: str) -> dict[str, Any]:
    """The job is cancelled, and nothing of it is stored; returns its status."""
    status = await api.until(job_id, "cancelled", timeout=60)
    assert (status["audio_url"], status["actual_duration"]) == (None, None)
    await listener.until_ended(job_id)
    assert [end["type"] for end in listener.terminal_events[job_id]] == ["cancelled"]

    async def gone() -> bool:
        return job_id not in await stored_jobs(system)

    await eventually(gone, "nothing is stored")
    return status


async def test_a_job_stopped_midway_keeps_the_published_audio(system: System) -> None:
    api, worker = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="1")
    listener = await listen(system)
    job_id = await api.generate("slow", duration=60, sample_format="float32")
    waiting = await api.generate("tone", duration=0.5)
    await listener.until_chunks(job_id, 3)
    stopped = time.monotonic()
    assert await api.delete(job_id, keep=True) == 200
    status = await check_kept(api, listener, job_id)
    assert 0.75 <= status["actual_duration"] < 10
    assert listener.chunks[job_id][-1].last
    await api.until(waiting, "completed")
    # A second is the promise, and a loaded machine gets three.
    assert time.monotonic() - stopped < 3
    await until_idle(system, worker)
    assert await api.delete(job_id, keep=True) == 200
    assert (await api.status(job_id))["audio_url"]


async def test_a_stop_request_works_without_its_hint(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)
    job_id = await api.generate("slow", duration=60, sample_format="float32")
    await listener.until_chunks(job_id, 2)
    lose_hints(monkeypatch)
    assert await api.delete(job_id, keep=True) == 200
    await check_kept(api, listener, job_id)
    await until_idle(system, worker)


async def test_nothing_is_kept_before_the_first_audio(system: System) -> None:
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)
    job_id = await api.generate("silent", duration=60)
    await api.until(job_id, "processing")
    assert await api.delete(job_id, keep=True) == 200
    status = await check_nothing_kept(api, system, listener, job_id)
    assert status["message"] == "Job cancelled; nothing was made"
    await until_idle(system, worker)


async def test_a_stop_after_generation_keeps_all_audio(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)

    async def keep(job_id: str) -> None:
        assert await api.delete(job_id, keep=True) == 200

    before_upload(monkeypatch, keep)
    job_id = await api.generate("slow", duration=0.6, sample_format="float32")
    status = await check_kept(api, listener, job_id)
    assert status["actual_duration"] == pytest.approx(0.6)
    await until_idle(system, worker)


async def test_a_plain_cancel_during_the_upload_leaves_no_files(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)

    async def cancel(job_id: str) -> None:
        assert await api.delete(job_id) == 200

    before_upload(monkeypatch, cancel)
    job_id = await api.generate("slow", duration=60)
    await listener.until_chunks(job_id, 2)
    assert await api.delete(job_id, keep=True) == 200
    await check_nothing_kept(api, system, listener, job_id)
    await until_idle(system, worker)


async def test_a_worker_stopped_during_the_upload_stores_the_kept_audio(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes in the middle of the upload, and no grace is left."""
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)
    uploading = asyncio.Event()

    async def hang(job_id: str) -> None:
        uploading.set()
        await asyncio.Event().wait()

    before_upload(monkeypatch, hang)
    job_id = await api.generate("slow", duration=60, sample_format="float32")
    await listener.until_chunks(job_id, 2)
    assert await api.delete(job_id, keep=True) == 200
    await uploading.wait()
    await worker.stop(grace=0.1)
    await check_kept(api, listener, job_id)
    await until_idle(system, worker)


async def test_a_worker_stopped_before_it_sees_the_request_keeps_the_audio(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.attempt.REPORT_INTERVAL", 60.0)
    monkeypatch.setattr("worker.lease.MAX_RECORD_IDLE", 60.0)
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)
    job_id = await api.generate("slow", duration=60, sample_format="float32")
    await listener.until_chunks(job_id, 2)
    lose_hints(monkeypatch)
    assert await api.delete(job_id, keep=True) == 200
    await worker.stop(grace=0.1)
    await check_kept(api, listener, job_id)
    await until_idle(system, worker)


async def test_audio_made_before_an_engine_crash_is_kept(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.attempt.REPORT_INTERVAL", 60.0)
    monkeypatch.setattr("worker.lease.MAX_RECORD_IDLE", 60.0)
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)
    lose_hints(monkeypatch)
    job_id = await api.generate("poison", duration=1.0, sample_format="float32")
    await listener.until_chunks(job_id, 1)
    assert await api.delete(job_id, keep=True) == 200
    status = await check_kept(api, listener, job_id)
    assert status["actual_duration"] == pytest.approx(1.0)
    await until_idle(system, worker)


async def test_invalid_samples_are_not_kept(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.attempt.REPORT_INTERVAL", 60.0)
    monkeypatch.setattr("worker.lease.MAX_RECORD_IDLE", 60.0)
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)
    lose_hints(monkeypatch)
    job_id = await api.generate("hum", duration=1.0)
    await api.until(job_id, "processing")
    assert await api.delete(job_id, keep=True) == 200
    status = await check_nothing_kept(api, system, listener, job_id)
    assert "not numbers" in status["message"]
    await until_idle(system, worker)


async def test_kept_audio_is_lost_when_its_worker_dies(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after kill -9 in the middle of the upload, the second time after it."""
    monkeypatch.setattr("shared.topology.ACK_WAIT", 2.0)
    monkeypatch.setattr("worker.lease.HEARTBEAT", 0.5)
    api, listener = await system.gateway(), await listen(system)
    stored = asyncio.Event()
    upload: Put = Storage.put_audio

    async def store_and_hang(storage: Storage, job_id: str, file: Path, metadata: dict[str, str]) -> Upload:
        await upload(storage, job_id, file, metadata)
        stored.set()
        await asyncio.Event().wait()
        raise AssertionError("never woken")

    monkeypatch.setattr(Storage, "put_audio", store_and_hang)
    worker = await system.worker()
    job_id = await api.generate("slow", duration=60)
    await listener.until_chunks(job_id, 2)
    assert await api.delete(job_id, keep=True) == 200
    await stored.wait()
    await worker.vanish()
    assert job_id in await stored_jobs(system)
    monkeypatch.setattr(Storage, "put_audio", upload)
    successor = await system.worker()
    status = await check_nothing_kept(api, system, listener, job_id)
    assert status["message"] == "Job cancelled; what was made is lost, because its worker died"
    await until_idle(system, successor)


async def test_a_worker_that_stops_between_record_and_event_publishes_the_event(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, listener, worker = await system.gateway(), await listen(system), await system.worker()
    reached, announce = asyncio.Event(), Lease.announce

    async def hang_once(lease: Lease, kind: EventType | None = None) -> None:
        if lease.record.status.is_terminal and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        await announce(lease, kind)

    monkeypatch.setattr(Lease, "announce", hang_once)
    job_id = await api.generate("slow", duration=60, sample_format="float32")
    await listener.until_chunks(job_id, 1)
    assert await api.delete(job_id, keep=True) == 200
    await reached.wait()
    await worker.stop(grace=0)
    assert (await (await system.nats()).jetstream().stream_info(subjects.JOBS_STREAM)).state.messages == 0
    await check_kept(api, listener, job_id)


@pytest.mark.parametrize("seed", range(4))
async def test_stops_at_random_moments_end_every_job_once_and_leave_no_files(system: System, seed: int) -> None:
    api, worker = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="4")
    listener = await listen(system)
    source = random.Random(seed)

    async def one() -> tuple[str, dict[str, Any]]:
        job_id = await api.generate(
            source.choice(["tone", "slow", "silent", "poison"]), duration=source.choice([0.5, 0.8, 1.2])
        )
        await asyncio.sleep(source.uniform(0, 2.0))
        keep = source.random() < 0.8
        code = await api.delete(job_id, keep=keep)
        status = await api.until(job_id, "completed", "cancelled", timeout=60)
        assert (code == 200) == (status["status"] == "cancelled")
        assert keep or code == 409 or status["audio_url"] is None
        return job_id, status

    jobs = dict(await asyncio.gather(*(one() for _ in range(16))))
    await until_idle(system, worker)
    with_audio = {job_id for job_id, status in jobs.items() if status["audio_url"]}
    assert await stored_jobs(system) & jobs.keys() == with_audio
    for job_id, status in jobs.items():
        await listener.until_ended(job_id)
        assert [end["type"] for end in listener.terminal_events[job_id]] == [status["status"]]
        if job_id in with_audio:
            assert len(await stored_audio(api, job_id)) == round(status["actual_duration"] * RATE)


@pytest.mark.parametrize("seed", range(3))
async def test_worker_stops_at_random_moments_lose_no_stop_request(system: System, seed: int) -> None:
    api, listener = await system.gateway(), await listen(system)
    source = random.Random(seed)
    jobs = []
    for _ in range(4):
        worker = await system.worker()
        job_id = await api.generate("slow", duration=60, sample_format="float32")
        jobs.append(job_id)
        await listener.until_chunks(job_id, 1)
        assert await api.delete(job_id, keep=True) == 200
        await asyncio.sleep(source.uniform(0, 0.1))
        await worker.stop(grace=source.choice([0, 0.02, 0.1]))
        await check_kept(api, listener, job_id)
    assert await stored_jobs(system) >= set(jobs)
