"""Which records a gateway trims."""

from datetime import timedelta
from typing import Any

import pytest
from nats.aio.client import Client

from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.jobs.trimmer import RecordTrimmer
from shared.bus import Bus
from shared.errors import ConflictError
from shared.messages import JobRecord, JobStatus, now
from shared.records import Entry
from tests.unit.gateway.samples import completed, entry, job_id, record

DAY = timedelta(days=1)


class FakeRecordStore(RecordStore):
    """Removes from the index only; removing a job in `changed` is a conflict."""

    def __init__(self, index: JobIndex) -> None:
        super().__init__(Bus(Client()), index)
        self.changed: set[str] = set()
        self.removed: list[str] = []

    async def remove(self, entry: Entry) -> None:
        if entry.record.job_id in self.changed:
            raise ConflictError("changed")
        self.removed.append(entry.record.job_id)
        self._index.discard(entry.record.job_id)


@pytest.fixture
def index() -> JobIndex:
    return JobIndex(Estimator())


@pytest.fixture
def store(index: JobIndex) -> FakeRecordStore:
    return FakeRecordStore(index)


def answered(number: int, age: timedelta = timedelta(hours=1), **fields: Any) -> JobRecord:
    """A cached result of the key `daw`."""
    moment = now() - age
    values: dict[str, Any] = {"owner": "daw", "source": job_id(99), "created_at": moment, "updated_at": moment}
    return completed(number, **(values | fields))


async def removed(index: JobIndex, store: FakeRecordStore, *records: JobRecord, kept: int = 9) -> list[str]:
    for each in records:
        index.apply(entry(each))
    assert await RecordTrimmer(index, store, kept + 1).trim() == len(store.removed)
    return store.removed


async def test_the_keys_oldest_records_are_removed_down_to_the_target(index: JobIndex, store: FakeRecordStore) -> None:
    own = [answered(number, timedelta(hours=20 - number)) for number in range(12)]
    other = [answered(20, timedelta(days=3), owner="web"), answered(21, timedelta(days=3), owner=None)]
    assert await removed(index, store, *own, *other) == [job_id(number) for number in range(3)]


async def test_recently_changed_records_stay(index: JobIndex, store: FakeRecordStore) -> None:
    young = [answered(number, timedelta(seconds=30)) for number in range(12)]
    assert await removed(index, store, *young) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"source": None},  # no record would keep its audio
        {"status": JobStatus.QUEUED, "audio": None, "source": None},
        {"status": JobStatus.PROCESSING, "audio": None, "source": None},
        {"status": JobStatus.CANCELLED, "audio": None, "source": None, "attempts": 1},  # counts for its key's day
    ],
)
async def test_unremovable_records_stay_above_the_limit(
    index: JobIndex, store: FakeRecordStore, fields: dict[str, Any]
) -> None:
    assert await removed(index, store, *[answered(number, **fields) for number in range(12)]) == []


async def test_failed_and_expired_jobs_are_removed_too(index: JobIndex, store: FakeRecordStore) -> None:
    failed = [answered(number, status=JobStatus.FAILED, audio=None, source=None) for number in range(12)]
    expired = [answered(number, 8 * DAY, source=None, expired_at=now()) for number in range(20, 21)]
    assert await removed(index, store, *failed, *expired) == [job_id(20), *map(job_id, range(3))]


async def test_above_the_total_limit_the_oldest_records_of_all_are_removed(
    index: JobIndex, store: FakeRecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.trimmer.MAX_RECORDS", 10)
    records = [answered(number, timedelta(hours=20 - number), owner=None) for number in range(11)]
    assert await removed(index, store, *records, record(50, owner=None)) == [job_id(number) for number in range(3)]


async def test_a_record_changed_by_another_process_stays(index: JobIndex, store: FakeRecordStore) -> None:
    store.changed = {job_id(1)}
    assert await removed(index, store, *[answered(number) for number in range(12)]) == [job_id(0), job_id(2)]
