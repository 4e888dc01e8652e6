"""Limits of queued jobs, daily seconds and records."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from nats.aio.client import Client

from gateway.access.quotas import Limits, Quotas
from gateway.access.reservations import Reservations, Reserved
from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.record_table import QUOTA_DAY
from gateway.problems import Problem
from shared.bus import Bus
from shared.messages import JobRecord, JobStatus, now
from shared.records import Entry
from tests.unit.gateway.samples import entry, record


@pytest.fixture
def index() -> JobIndex:
    return JobIndex(Estimator())


class OwnReservations(Reservations):
    """Reservations in memory."""

    def __init__(self) -> None:
        super().__init__(Bus(Client()))
        self._reserved: dict[str, Reserved] = {}

    async def add(self, owner: str, job_id: str, seconds: float, check: Callable[[Reserved], None]) -> bool:
        reserved = self._reserved.setdefault(owner, {})
        if job_id in reserved:
            return False
        check(reserved)
        reserved[job_id] = seconds
        return True

    async def remove(self, owner: str, job_id: str) -> None:
        del self._reserved[owner][job_id]


class FakeRecordStore(RecordStore):
    """A bucket with the given jobs."""

    def __init__(self, index: JobIndex, *jobs: str) -> None:
        super().__init__(Bus(Client()), index)
        self._jobs = jobs

    async def fetch(self, job_id: str) -> Entry | None:
        return entry(made(1)) if job_id in self._jobs else None


def quotas_of(index: JobIndex, queued_jobs: int, daily_seconds: float, records: int = 1000, *known: str) -> Quotas:
    return Quotas(index, FakeRecordStore(index, *known), OwnReservations(), Limits(queued_jobs, daily_seconds, records))


def made(number: int, seconds: float = 10, hours: float = 0, **fields: Any) -> JobRecord:
    """A job of the key `daw`, created `hours` ago."""
    return record(number, duration=seconds, created_at=now() - timedelta(hours=hours), **({"owner": "daw"} | fields))


async def refused(quotas: Quotas, new: JobRecord) -> Problem | None:
    """The refusal of one more job, if any; an admitted job is not accepted afterwards."""
    try:
        await quotas.check_record_limit(new)
        async with quotas.reserved_place(new):
            raise NotAcceptedError
    except NotAcceptedError:
        return None
    except Problem as problem:
        return problem


class NotAcceptedError(Exception):
    """Raised to release the reservation of an admitted job."""


async def test_a_job_above_the_queue_limit_is_refused_until_one_starts(index: JobIndex) -> None:
    quotas = quotas_of(index, 2, 1000)
    for number in (1, 2):
        assert await refused(quotas, made(number)) is None
        index.apply(entry(made(number)))
    problem = await refused(quotas, made(3))
    assert problem is not None
    assert (problem.status, problem.headers["Retry-After"]) == (429, "10")
    assert "2 jobs in the queue" in problem.detail
    assert await refused(quotas, made(3, owner="web")) is None
    index.apply(entry(made(1, status=JobStatus.PROCESSING), 2))
    assert await refused(quotas, made(3)) is None


async def test_reserved_jobs_count(index: JobIndex) -> None:
    quotas = quotas_of(index, 2, 25)
    async with quotas.reserved_place(made(1)):
        assert await refused(quotas, made(2, seconds=16)) is not None
        async with quotas.reserved_place(made(2)):
            assert await refused(quotas, made(3)) is not None
            index.apply(entry(made(2)))  # counted once, although it is in both places
            assert await refused(quotas, made(3)) is not None


async def test_a_repeated_request_counts_once_and_is_not_refused(index: JobIndex) -> None:
    quotas = quotas_of(index, 1, 10)
    async with quotas.reserved_place(made(1)):
        assert await refused(quotas, made(1)) is None
        assert await refused(quotas, made(2)) is not None
    index.apply(entry(made(1)))
    assert await refused(quotas, made(1)) is None


async def test_a_job_that_is_not_accepted_releases_its_reservation(index: JobIndex) -> None:
    quotas = quotas_of(index, 1, 10)
    with pytest.raises(ConnectionError):
        async with quotas.reserved_place(made(1)):
            raise ConnectionError
    assert await refused(quotas, made(2)) is None


async def test_without_api_keys_nothing_is_limited(index: JobIndex) -> None:
    quotas = quotas_of(index, 1, 10)
    for number in range(3):
        index.apply(entry(made(number, owner=None)))
        assert await refused(quotas, made(9, seconds=100, owner=None)) is None


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"status": JobStatus.QUEUED}, True),
        ({"status": JobStatus.COMPLETED, "attempts": 1}, True),
        ({"status": JobStatus.CANCELLED, "attempts": 1}, True),
        ({"status": JobStatus.QUEUED, "is_follower": True}, True),
        ({"status": JobStatus.COMPLETED, "source": "gen_000000000000"}, False),
        ({"status": JobStatus.CANCELLED}, False),
        ({"status": JobStatus.FAILED, "attempts": 3}, False),
        ({"status": JobStatus.COMPLETED, "attempts": 1, "owner": "web"}, False),
    ],
)
async def test_which_jobs_count_against_the_daily_quota(index: JobIndex, fields: dict[str, Any], counts: bool) -> None:
    index.apply(entry(made(1, seconds=10, **fields)))
    assert (await refused(quotas_of(index, 100, 15), made(2, seconds=10)) is not None) == counts


async def test_a_day_is_the_last_24_hours_and_retry_after_says_when_quota_is_free(index: JobIndex) -> None:
    quotas = quotas_of(index, 100, 30)
    for number, hours in ((1, 25), (2, 20), (3, 10), (4, 5)):
        index.apply(entry(made(number, hours=hours)))
    problem = await refused(quotas, made(5, seconds=10))
    assert problem is not None
    assert 4 * 3600 - 5 <= int(problem.headers["Retry-After"]) <= 4 * 3600
    problem = await refused(quotas, made(5, seconds=20))
    assert problem is not None
    assert 14 * 3600 - 5 <= int(problem.headers["Retry-After"]) <= 14 * 3600
    assert "30 seconds of audio" in problem.detail


async def test_a_job_longer_than_the_daily_quota_is_always_refused(index: JobIndex) -> None:
    problem = await refused(quotas_of(index, 100, 30), made(1, seconds=31))
    assert problem is not None
    assert int(problem.headers["Retry-After"]) == QUOTA_DAY.total_seconds()


async def test_a_key_at_its_record_limit_is_refused_and_others_are_not(index: JobIndex) -> None:
    quotas = quotas_of(index, 100, 1000, 2)
    for number in (1, 2):
        index.apply(entry(made(number, status=JobStatus.FAILED)))
    problem = await refused(quotas, made(3))
    assert problem is not None
    assert (problem.status, problem.headers["Retry-After"]) == (429, "60")
    assert "2 jobs on record" in problem.detail
    assert await refused(quotas, made(3, owner="web")) is None
    assert await refused(quotas, made(3, owner=None)) is None
    index.discard(made(1).job_id)
    assert await refused(quotas, made(3)) is None


async def test_a_repeated_request_is_not_refused_for_its_own_record(index: JobIndex) -> None:
    quotas = quotas_of(index, 100, 1000, 1, made(2).job_id)
    index.apply(entry(made(1)))
    assert await refused(quotas, made(1)) is None
    assert await refused(quotas, made(2)) is None  # another gateway made it just now
    assert await refused(quotas, made(3)) is not None


async def test_jobs_beyond_the_reservation_limit_are_refused(index: JobIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.access.quotas.MAX_RESERVED", 1)
    quotas = quotas_of(index, 100, 1000)
    async with quotas.reserved_place(made(1)):
        problem = await refused(quotas, made(2))
    assert problem is not None
    assert (problem.status, problem.headers["Retry-After"]) == (429, "30")
