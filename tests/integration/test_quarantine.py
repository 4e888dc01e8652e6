"""Quarantine: a job that kills the engine fails no other job."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from shared import subjects
from shared.records import Records
from tests.integration.listener import listen
from tests.integration.system import System, eventually


async def test_a_crashing_job_fails_exclusively_and_the_others_complete(system: System) -> None:
    api, worker = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="6")
    listener = await listen(system)
    before = REGISTRY.get_sample_value("musicgen_engine_deaths_total") or 0.0
    mates = [await api.generate("slow", duration=2.0, seed=number) for number in range(5)]
    for job_id in mates:
        await listener.until_chunks(job_id)
    poison = await api.generate("poison", duration=0.5)
    status = await api.until(poison, "failed", timeout=90)
    assert status["attempts"] == 3
    assert "died" in status["error_message"]
    for job_id in mates:
        assert (await api.until(job_id, "completed", timeout=60))["attempts"] == 1
    # Once together, and three times alone.
    assert REGISTRY.get_sample_value("musicgen_engine_deaths_total") == before + 4

    async def is_idle() -> bool:
        return worker.worker.describe().busy == 0

    # The completed event precedes the acknowledgement and the release of the slot.
    await eventually(is_idle, "all slots are free")
    records = Records(await (await system.nats()).jetstream().key_value(subjects.JOBS_BUCKET))
    for job_id in mates:
        entry = await records.get(job_id)
        assert entry is not None
        assert not entry.record.quarantined


async def test_quarantined_jobs_run_exclusively_and_then_slots_are_shared(system: System) -> None:
    api, _ = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="3")
    listener = await listen(system)
    mates = [await api.generate("slow", duration=1.0, seed=number) for number in range(2)]
    for job_id in mates:
        await listener.until_chunks(job_id)
    crash = await api.generate("crash", duration=0.5)
    for job_id in mates:
        await api.until(job_id, "completed", timeout=60)
    first, second = ([piece.seq for piece in listener.chunks[job_id]] for job_id in mates)
    # Each was interrupted once and restarted.
    assert (first.count(0), second.count(0)) == (2, 2)
    await api.until(crash, "failed", timeout=60)
    together = [await api.generate("slow", duration=3.0, seed=number) for number in range(2)]
    for job_id in together:
        await listener.until_chunks(job_id)
    assert not listener.terminal_events.keys() & set(together)


async def test_a_waiting_quarantined_job_can_be_cancelled_or_handed_back(system: System) -> None:
    api, worker = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="4")
    listener = await listen(system)
    mates = [await api.generate("slow", duration=60, seed=number) for number in range(3)]
    for job_id in mates:
        await listener.until_chunks(job_id)
    crash = await api.generate("crash", duration=0.5)

    async def waiting() -> list[str] | None:
        statuses = [await api.status(job_id) for job_id in mates]
        found = [each["job_id"] for each in statuses if "because this job runs alone" in each["message"]]
        return found if len(found) == 2 and any(each["progress"] > 0 for each in statuses) else None

    cancelled, handed_back = await eventually(waiting, "one of them runs, two wait", timeout=60)
    assert await api.delete(crash) == 200
    assert await api.delete(cancelled, keep=True) == 200
    status = await api.until(cancelled, "cancelled")
    assert (status["message"], status["audio_url"]) == ("Job cancelled; nothing was made", None)
    await worker.stop(grace=0.1)
    assert (await api.until(handed_back, "queued"))["attempts"] == 0
    records = Records(await (await system.nats()).jetstream().key_value(subjects.JOBS_BUCKET))
    suspects = [entry.record.quarantined for job_id in mates if (entry := await records.get(job_id))]
    assert sorted(suspects) == [False, True, True]


async def test_jobs_next_to_one_that_ignored_its_cancel_are_not_quarantined(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.host.engine_host.CANCEL_TIMEOUT", 0.3)
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)
    mate = await api.generate("slow", duration=3.0)
    await listener.until_chunks(mate)
    stuck = await api.generate("deaf", duration=60)
    await api.until(stuck, "processing")
    # In the engine, too.
    await asyncio.sleep(0.2)
    assert await api.delete(stuck) == 200
    records = Records(await (await system.nats()).jetstream().key_value(subjects.JOBS_BUCKET))

    async def handed_back() -> bool:
        entry = await records.get(mate)
        assert entry is not None
        assert not entry.record.quarantined
        return "stuck" in entry.record.message

    await eventually(handed_back, "the mate is queued again")
    assert (await api.until(mate, "completed"))["attempts"] == 1

    async def is_idle() -> bool:
        return worker.worker.describe().busy == 0

    # The completed event precedes the acknowledgement and the release of the slot.
    await eventually(is_idle, "all slots are free")
