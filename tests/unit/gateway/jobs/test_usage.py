"""How often downloads change a record."""

import pytest
from nats.aio.client import Client

from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.jobs.usage import RETRY_DELAY, UsageTracker
from shared.bus import Bus
from shared.errors import ConflictError, UnavailableError
from shared.messages import JobRecord
from shared.records import Entry
from shared.storage import RENEWED_EVERY
from tests.unit.gateway.samples import NOON, completed, entry, job_id

EVERY = RENEWED_EVERY.total_seconds()


class FakeRecordStore(RecordStore):
    """Records without a broker; updates first raise the `failures`."""

    def __init__(self, *records: JobRecord) -> None:
        super().__init__(Bus(Client()), JobIndex(Estimator()))
        self.entries = {each.job_id: entry(each) for each in records}
        self.failures: list[Exception] = []

    async def fetch(self, job_id: str) -> Entry | None:
        return self.entries.get(job_id)

    async def update(self, entry: Entry, record: JobRecord) -> Entry:
        if self.failures:
            raise self.failures.pop()
        self.entries[record.job_id] = Entry(record, entry.revision + 1)
        return self.entries[record.job_id]

    def revision(self, number: int = 1) -> int:
        return self.entries[job_id(number)].revision


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_record_is_touched_at_most_every_five_minutes_and_keeps_its_seq() -> None:
    record_store, clock = FakeRecordStore(completed(1)), Clock()
    usage = UsageTracker(record_store, clock)
    for seconds, revision in ((0, 2), (EVERY - 1, 2), (1, 3), (EVERY, 4)):
        clock.now += seconds
        assert await usage.touch(completed(1))
        assert record_store.revision() == revision
    assert record_store.entries[job_id(1)].record.seq == 1


async def test_touching_a_cached_job_touches_its_source_and_fails_without_it() -> None:
    shared = completed(2, source=job_id(1))
    record_store = FakeRecordStore(completed(1), shared)
    assert await UsageTracker(record_store).touch(shared)
    assert (record_store.revision(1), record_store.revision(2)) == (2, 2)
    for keeper in (FakeRecordStore(shared), FakeRecordStore(completed(1, expired_at=NOON), shared)):
        assert not await UsageTracker(keeper).touch(shared)


async def test_after_a_conflict_the_record_is_read_again() -> None:
    record_store = FakeRecordStore(completed(1))
    record_store.failures = [ConflictError("changed"), ConflictError("changed")]
    assert await UsageTracker(record_store).touch(completed(1))
    assert record_store.revision() == 2


async def test_without_nats_audio_is_served_and_the_touch_is_retried_soon() -> None:
    record_store, clock = FakeRecordStore(completed(1)), Clock()
    usage = UsageTracker(record_store, clock)
    record_store.failures = [UnavailableError("NATS is away")]
    for seconds, revision in ((0, 1), (RETRY_DELAY - 1, 1), (1, 2)):
        clock.now += seconds
        assert await usage.touch(completed(1))
        assert record_store.revision() == revision


async def test_only_the_latest_downloads_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.usage.REMEMBERED", 2)
    jobs = [completed(number) for number in range(3)]
    record_store = FakeRecordStore(*jobs)
    usage = UsageTracker(record_store, Clock())
    for each in (*jobs, jobs[2], jobs[0]):
        await usage.touch(each)
    assert [record_store.revision(number) for number in range(3)] == [3, 2, 2]
    assert len(usage._due) == 2
