"""What a worker makes of a delivered message."""

import pytest

from shared.messages import JobStatus, job_of
from shared.publisher import publish_job
from shared.transitions import accepted, as_follower, cancelled, claimed, entered_engine
from tests.unit.worker.conftest import JOB_ID, RECIPE, Broker
from worker.claim import AlreadyFinished, Claimed, NotClaimed


@pytest.fixture(autouse=True)
def _short_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.claim.TAKEOVER_DELAY", 0.05)


async def test_a_queued_job_is_claimed(broker: Broker) -> None:
    await broker.queue()
    result = await broker.claims().claim(broker.records, await broker.fetch())
    assert isinstance(result, Claimed)
    record = (await broker.entry()).record
    assert (record.status, record.worker_id, record.attempts) == (JobStatus.PROCESSING, "ours", 1)


async def test_a_job_without_a_record_is_removed_from_the_queue(broker: Broker) -> None:
    await broker.records.remove(await broker.queue())
    result = await broker.claims().claim(broker.records, await broker.fetch())
    assert result == NotClaimed()
    await broker.until_queue_is_empty()


async def test_a_finished_job_is_reported_as_such(broker: Broker) -> None:
    await broker.queue()
    finished = await broker.change(cancelled)
    claims = broker.claims()
    # Its event is not published yet: the author gets until the next delivery.
    assert await claims.claim(broker.records, await broker.fetch()) == NotClaimed()
    assert await claims.claim(broker.records, await broker.fetch()) == AlreadyFinished(finished)


async def test_a_job_is_taken_over_only_if_its_record_does_not_change(broker: Broker) -> None:
    await broker.queue()
    await broker.change(lambda record: claimed(record, "theirs"))
    claims = broker.claims()
    assert await claims.claim(broker.records, await broker.fetch()) == NotClaimed()
    await broker.change(entered_engine)
    assert await claims.claim(broker.records, await broker.fetch()) == NotClaimed()
    assert isinstance(await claims.claim(broker.records, await broker.fetch()), Claimed)
    record = (await broker.entry()).record
    assert (record.worker_id, record.attempts) == ("ours", 2)


async def test_a_job_fails_after_its_third_crash(broker: Broker) -> None:
    await broker.queue()
    for _ in range(3):
        await broker.change(lambda record: claimed(record, "ours"))
    await broker.change(entered_engine)
    result = await broker.claims().claim(broker.records, await broker.fetch())
    entry = await broker.entry()
    assert result == AlreadyFinished(entry)
    assert entry.record.status is JobStatus.FAILED
    assert "died 3 times on this job" in str(entry.record.error_message)


async def test_a_follower_is_promoted_and_then_claimed(broker: Broker) -> None:
    record = as_follower(accepted(JOB_ID, RECIPE, (await broker.queue()).record.created_at))
    await broker.records.remove(await broker.entry())
    await broker.records.create(record)
    await publish_job(broker.bus.js, job_of(record), None, again="1")
    result = await broker.claims().claim(broker.records, await broker.fetch())
    assert isinstance(result, Claimed)
    claimed_record = (await broker.entry()).record
    assert (claimed_record.status, claimed_record.is_follower) == (JobStatus.PROCESSING, False)


async def test_the_last_attempt_is_quarantined_and_counts_from_the_engine_on(broker: Broker) -> None:
    await broker.queue()
    for _ in range(2):
        await broker.change(lambda record: claimed(record, "ours"))
    claims = broker.claims()
    message = await broker.fetch()
    assert isinstance(await claims.claim(broker.records, message), Claimed)
    record = (await broker.entry()).record
    assert (record.attempts, record.quarantined, record.awaiting_engine) == (3, True, True)
    # A crash while the job waits for the engine is not its fault.
    assert isinstance(await claims.claim(broker.records, message), Claimed)
    assert (await broker.entry()).record.attempts == 3
