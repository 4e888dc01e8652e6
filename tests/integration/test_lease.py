"""What the holder of a lease may write, and which writes are refused."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg

from shared import topology
from shared.errors import ConflictError, TransitionError
from shared.messages import JobRecord, JobStatus, Recipe, now
from shared.publisher import ensure_announced, publish_event
from shared.records import Entry, Records
from shared.topology import ensure_streams
from tests.integration.system import System
from tests.records import some_audio
from worker.lease import Lease, LeaseLostError

RECORD = JobRecord(
    job_id="gen_000000000000",
    recipe=Recipe(model="starter", prompt="tone", duration=1.0),
    created_at=now(),
    updated_at=now(),
)

PROCESSING = replace(RECORD, status=JobStatus.PROCESSING, attempts=1)


async def leased(system: System) -> tuple[Lease, Records]:
    client = await system.nats()
    js = client.jetstream()
    records = Records(await ensure_streams(js))
    entry = await records.update(await records.create(RECORD), PROCESSING)
    return Lease(js, records, Msg(client), entry), records


def changed(lease: Lease, **fields: Any) -> JobRecord:
    return replace(lease.record, updated_at=now(), **fields)


async def test_a_finished_job_is_not_handed_back(system: System) -> None:
    """As when a stop comes between the end of a job and its acknowledgement."""
    lease, records = await leased(system)
    await lease.write(changed(lease, status=JobStatus.COMPLETED, progress=1.0, audio=some_audio()))
    with pytest.raises(LeaseLostError):
        await lease.hand_back("The worker stopped", 0, counted=False)
    found = await records.get(RECORD.job_id)
    assert found is not None
    assert (found.record.status, found.record.attempts) == (JobStatus.COMPLETED, 1)


async def test_repeating_a_write_changes_nothing(system: System) -> None:
    lease, records = await leased(system)
    done = changed(lease, status=JobStatus.COMPLETED, audio=some_audio())
    await lease.write(done)
    first = await records.get(RECORD.job_id)
    await lease.write(done)
    assert await records.get(RECORD.job_id) == first


async def test_a_write_whose_answer_was_lost_is_recognised(system: System) -> None:
    _, records = await leased(system)
    entry = await records.get(RECORD.job_id)
    assert entry is not None
    changed = replace(PROCESSING, progress=0.5)
    written = await records.update(entry, changed)
    assert await records.update(entry, changed) == written
    with pytest.raises(ConflictError):
        await records.update(entry, replace(PROCESSING, progress=0.6))


async def test_a_record_is_created_once(system: System) -> None:
    _, records = await leased(system)
    with pytest.raises(ConflictError):
        await records.create(replace(RECORD, message="another"))


async def test_a_change_by_another_writer_loses_the_lease(system: System) -> None:
    lease, records = await leased(system)
    entry = await records.get(RECORD.job_id)
    assert entry is not None
    await records.update(entry, replace(PROCESSING, status=JobStatus.CANCELLED))
    await lease.check()
    assert lease.taken_over.is_set()
    with pytest.raises(LeaseLostError):
        await lease.report(0.5, "Generating")


async def test_a_state_is_published_once_however_often_it_is_found(system: System) -> None:
    _, records = await leased(system)
    js = (await system.nats()).jetstream()
    entry = await records.get(RECORD.job_id)
    assert entry is not None
    for _ in range(3):
        await ensure_announced(js, entry)
    assert (await js.stream_info("MUSIC_EVENTS")).state.messages == 1
    later = Entry(entry.record, entry.revision + 5)
    await ensure_announced(js, later)
    assert (await js.stream_info("MUSIC_EVENTS")).state.messages == 2


async def test_the_start_of_an_attempt_is_published_once(
    system: System,
) -> None:
    """A cancelling gateway checks whether the event is published; a second one could follow the terminal event."""
    lease, records = await leased(system)
    js = (await system.nats()).jetstream()
    began = now()
    await lease.write(changed(lease, started_at=began))
    await lease.announce()
    await lease.report(0.0, "Waiting for a job that runs alone")
    entry = await lease.current()
    assert entry is not None
    await ensure_announced(js, entry)
    told = f"music.events.{RECORD.job_id}.processing"
    assert (await js.stream_info("MUSIC_EVENTS", subjects_filter=told)).state.subjects == {told: 1}
    again = replace(entry.record, attempts=2, started_at=now(), worker_id="another")
    await ensure_announced(js, await records.update(entry, again))
    assert (await js.stream_info("MUSIC_EVENTS", subjects_filter=told)).state.subjects == {told: 2}


async def test_a_terminal_event_is_published_once_even_hours_later(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a worker that was frozen for longer than the broker knows message ids."""
    monkeypatch.setattr(topology.EVENTS, "duplicate_window", 0.1)
    lease, _ = await leased(system)
    js = (await system.nats()).jetstream()
    await lease.write(changed(lease, status=JobStatus.CANCELLED))
    await lease.announce()
    entry = await lease.current()
    assert entry is not None
    await asyncio.sleep(0.3)
    await lease.announce()
    await publish_event(js, entry)
    assert (await js.stream_info("MUSIC_EVENTS")).state.messages == 1


async def test_a_foreign_message_does_not_hide_the_terminal_event(system: System) -> None:
    lease, _ = await leased(system)
    js = (await system.nats()).jetstream()
    await js.publish(f"music.events.{RECORD.job_id}.cancelled", b"nonsense")
    await lease.write(changed(lease, status=JobStatus.CANCELLED))
    entry = await lease.current()
    assert entry is not None
    for _ in range(2):
        await publish_event(js, entry)
    assert (await js.stream_info("MUSIC_EVENTS")).state.messages == 2


async def test_a_late_report_does_not_reclaim_a_requeued_job(system: System) -> None:
    lease, records = await leased(system)
    late = changed(lease, progress=0.9)
    await lease.write(changed(lease, status=JobStatus.QUEUED, attempts=0, worker_id=None))
    with pytest.raises(LeaseLostError):
        await lease.write(late)
    found = await records.get(RECORD.job_id)
    assert found is not None
    assert found.record.status is JobStatus.QUEUED


async def test_an_invalid_transition_is_not_written(system: System) -> None:
    lease, records = await leased(system)
    before = await records.get(RECORD.job_id)
    assert before is not None
    with pytest.raises(TransitionError):
        await lease.write(changed(lease, status=JobStatus.COMPLETED))
    with pytest.raises(TransitionError):
        await records.create(replace(PROCESSING, job_id="gen_000000000001"))
    assert await records.get(RECORD.job_id) == before
