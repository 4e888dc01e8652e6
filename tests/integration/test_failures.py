"""Engines and workers that fail, crash, stop or cannot load."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg
from prometheus_client import REGISTRY

from shared import subjects
from shared.bus import flush
from shared.errors import ConflictError
from shared.publisher import publish_event
from tests.integration.system import System, eventually


async def test_a_job_that_the_engine_rejects_fails_with_the_reason(system: System) -> None:
    api, _ = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="1")
    refused, too_large, noise, silence, fine = [
        await api.generate(prompt, duration=0.5) for prompt in ("fail", "memory", "nan", "mute", "tone")
    ]
    expected = {
        refused: "no such chord", too_large: "60 s do not fit", noise: "not numbers", silence: "made only silence",
    }  # fmt: skip
    for job_id, reason in expected.items():
        status = await api.until(job_id, "failed")
        assert reason in status["error_message"]
        assert status["attempts"] == 1
    await api.until(fine, "completed")


async def test_a_job_that_kills_the_engine_fails_after_three_attempts(system: System) -> None:
    api, worker = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="1")
    before = REGISTRY.get_sample_value("musicgen_engine_deaths_total") or 0.0
    poison = await api.generate("crash", duration=0.5)
    status = await api.until(poison, "failed", timeout=60)
    assert status["attempts"] == 3
    assert "died" in status["error_message"]
    assert REGISTRY.get_sample_value("musicgen_engine_deaths_total") == before + 3
    await api.until(await api.generate("tone", duration=0.5), "completed")
    assert worker.worker.describe().busy == 0


async def test_a_job_completes_on_the_engine_after_the_one_that_crashed(system: System, tmp_path: Path) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate(f"once {tmp_path / 'marker'}", duration=0.5)
    status = await api.until(job_id, "completed")
    assert status["attempts"] == 2


async def test_a_worker_with_an_unavailable_model_stays_up_and_reports_it(system: System) -> None:
    api, _ = await system.gateway(), await system.worker(MUSICGEN_ENGINE="tests.engines:missing")

    async def told() -> bool:
        message = str((await api.health())["components"]["workers"]["message"])
        return message.startswith("The hub is not reachable.")

    await eventually(told, "the reason is in /health")
    health = await api.health()
    assert health["status"] == "degraded"
    assert health["workers"][0]["state"] == "failed"
    assert "Check the network." in health["workers"][0]["remedy"]
    job_id = await api.generate()
    assert "The hub is not reachable" in (await api.status(job_id))["message"]


async def test_a_stopping_worker_finishes_jobs_within_the_grace_period(system: System) -> None:
    api, worker = await system.gateway(), await system.worker()
    job_id = await api.generate("slow", duration=1)
    await api.until(job_id, "processing")
    await worker.stop(grace=10)
    status = await api.until(job_id, "completed")
    assert status["attempts"] == 1


async def test_a_stopping_worker_hands_back_jobs_that_take_longer(system: System) -> None:
    api, worker = await system.gateway(), await system.worker()
    job_id = await api.generate("slow", duration=3)
    await api.until(job_id, "processing")
    await worker.stop(grace=0.2)
    status = await api.until(job_id, "queued")
    assert (status["attempts"], status["progress"]) == (0, 0.0)
    await system.worker()
    status = await api.until(job_id, "completed")
    assert status["attempts"] == 1


@pytest.mark.parametrize("seed", range(4))
async def test_stops_at_random_moments_end_every_job_once(system: System, seed: int) -> None:
    api = await system.gateway()
    kinds: dict[str, list[str]] = {}

    async def take(message: Msg) -> None:
        _, _, job_id, kind = message.subject.split(".")
        kinds.setdefault(job_id, []).append(kind)

    observer = await system.nats("observer")
    await observer.subscribe("music.events.>", cb=take)
    await flush(observer)
    source = random.Random(seed)
    jobs = [await api.generate(source.choice(["tone", "slow"]), duration=0.5) for _ in range(6)]
    for _ in range(3):
        worker = await system.worker()
        await asyncio.sleep(source.uniform(0, 0.5))
        await worker.stop(grace=0)
    await system.worker()
    for job_id in jobs:
        assert (await api.until(job_id, "completed", timeout=60))["attempts"] == 1

    async def told() -> bool:
        return all(kinds[job_id][-1] == "completed" for job_id in jobs)

    await eventually(told, "every end is announced")
    assert [kinds[job_id].count("completed") for job_id in jobs] == [1] * len(jobs)


async def test_a_worker_that_lost_its_job_changes_nothing(system: System) -> None:
    """As after a SIGSTOP longer than the lease: another worker has the job, the first one wakes up."""
    api, frozen = await system.gateway(), await system.worker()
    job_id = await api.generate("slow", duration=2)
    await api.until(job_id, "processing")
    (attempt,) = frozen.worker._attempts.values()
    records = attempt.lease._records
    entry = await records.get(job_id)
    assert entry is not None
    taken = replace(entry.record, worker_id="another", attempts=2)
    while True:
        try:
            await records.update(entry, taken)
            break
        except ConflictError:
            entry = await records.get(job_id)
            assert entry is not None

    async def given_up() -> bool:
        return frozen.worker.describe().busy == 0

    await eventually(given_up, "the first worker notices")
    now = await records.get(job_id)
    assert now is not None
    assert (now.record.worker_id, now.record.status.value) == ("another", "processing")
    js = (await system.nats()).jetstream()
    assert (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 1


async def test_a_worker_runs_a_job_with_two_messages_once(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a death between publishing a job again and acknowledging its old message."""
    announce = publish_event

    async def slowly(*arguments: Any) -> None:
        await asyncio.sleep(0.3)
        await announce(*arguments)

    monkeypatch.setattr("worker.claim.publish_event", slowly)
    monkeypatch.setattr("shared.topology.ACK_WAIT", 1.0)
    monkeypatch.setattr("worker.lease.HEARTBEAT", 0.3)
    api, js = await system.gateway(), (await system.nats()).jetstream()
    job_id = await api.generate("slow", duration=2)
    message = await js.get_msg(subjects.JOBS_STREAM, 1)
    await js.publish(message.subject or "", message.data or b"", headers={subjects.MSG_ID: f"{job_id}.again"})
    running = await system.worker()
    status = await api.until(job_id, "completed")
    assert (status["attempts"], status["actual_duration"]) == (1, 2.0)

    async def at_rest() -> bool:
        state = (await js.stream_info(subjects.JOBS_STREAM)).state
        return running.worker.describe().busy == 0 and state.messages == 0

    await eventually(at_rest, "both messages are gone, and no slot is taken")


async def test_two_workers_share_a_queue_without_duplicate_work(system: System) -> None:
    api = await system.gateway()
    jobs = [await api.generate("slow", duration=0.5, seed=number) for number in range(8)]
    started = time.monotonic()
    await asyncio.gather(system.worker(MAX_CONCURRENT_JOBS="1"), system.worker(MAX_CONCURRENT_JOBS="1"))
    done = [await api.until(job_id, "completed") for job_id in jobs]
    assert [each["attempts"] for each in done] == [1] * 8
    assert time.monotonic() - started < 30
