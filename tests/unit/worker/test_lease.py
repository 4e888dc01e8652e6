"""A lease writes its job's record, until another process changes it."""

import pytest

from shared.messages import JobStatus
from shared.transitions import claimed, reported, stopping
from tests.unit.worker.conftest import Broker
from worker.lease import KeepRequestedError, LeaseLostError


async def test_a_lease_that_another_worker_took_over_writes_nothing(broker: Broker) -> None:
    lease = await broker.lease()
    theirs = await broker.change(lambda record: claimed(record, "theirs"))
    with pytest.raises(LeaseLostError):
        await lease.write(reported(lease.record, 0.5, "Generating"))
    assert lease.taken_over.is_set()
    with pytest.raises(LeaseLostError):
        await lease.hand_back("The worker stopped", 0, counted=False)
    assert await broker.entry() == theirs


async def test_writing_the_same_record_twice_changes_it_once(broker: Broker) -> None:
    lease = await broker.lease()
    record = reported(lease.record, 0.5, "Generating")
    await lease.write(record)
    first = await broker.entry()
    await lease.write(record)
    assert await broker.entry() == first


async def test_a_keep_request_between_two_writes_refuses_the_second_until_it_is_rebuilt(broker: Broker) -> None:
    lease = await broker.lease()
    await lease.write(reported(lease.record, 0.1, "Generating"))
    stale = reported(lease.record, 0.2, "Generating")
    await broker.change(stopping)
    with pytest.raises(KeepRequestedError):
        await lease.write(stale)
    assert lease.keep.is_set()
    assert not lease.taken_over.is_set()
    await lease.write(reported(lease.record, 0.2, "Stopping"))
    assert (await broker.entry()).record.keep_requested


@pytest.mark.parametrize(("counted", "attempts"), [(True, 1), (False, 0)])
async def test_handing_back_keeps_claims_and_queues_the_job_again(broker: Broker, counted: bool, attempts: int) -> None:
    lease = await broker.lease()
    await lease.hand_back("The worker stopped", 0, counted=counted)
    record = (await broker.entry()).record
    assert (record.status, record.attempts, record.claims) == (JobStatus.QUEUED, attempts, 1)
    again = await broker.fetch()
    assert again.metadata.num_delivered == 1  # a new message, since a broker that restarts forgets a nak
