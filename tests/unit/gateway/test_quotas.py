"""Jobs in the queue and seconds a day."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.estimate import Estimator
from gateway.job_index import JobIndex
from gateway.problems import Problem
from gateway.quotas import DAY, Quotas
from shared.messages import JobRecord, JobStatus, now
from tests.unit.gateway.samples import entry, record


@pytest.fixture
def index() -> JobIndex:
    return JobIndex(Estimator())


def made(number: int, seconds: float = 10, hours: float = 0, **fields: Any) -> JobRecord:
    """A job of the DAW, asked for so many hours ago."""
    return record(number, duration=seconds, created_at=now() - timedelta(hours=hours), **({"owner": "daw"} | fields))


def refused(quotas: Quotas, new: JobRecord) -> Problem | None:
    try:
        with quotas.admitted(new):
            return None
    except Problem as problem:
        return problem


def test_one_job_too_many_in_the_queue_is_refused_until_one_has_begun(index: JobIndex) -> None:
    quotas = Quotas(index, 2, 1000)
    for number in (1, 2):
        assert refused(quotas, made(number)) is None
        index.apply(entry(made(number)))
    problem = refused(quotas, made(3))
    assert problem is not None
    assert (problem.status, problem.headers["Retry-After"]) == (429, "10")
    assert "2 jobs in the queue" in problem.detail
    assert refused(quotas, made(3, owner="web")) is None
    index.apply(entry(made(1, status=JobStatus.PROCESSING), 2))
    assert refused(quotas, made(3)) is None


def test_jobs_that_are_just_being_accepted_count(index: JobIndex) -> None:
    quotas = Quotas(index, 2, 25)
    with quotas.admitted(made(1)):
        assert refused(quotas, made(2, seconds=16)) is not None
        with quotas.admitted(made(2)):
            assert refused(quotas, made(3)) is not None
            index.apply(entry(made(2)))  # counted once, although it is in both places
            assert refused(quotas, made(3)) is not None
    assert refused(quotas, made(3)) is None


def test_a_repeated_request_counts_once_and_is_never_refused(index: JobIndex) -> None:
    quotas = Quotas(index, 1, 10)
    with quotas.admitted(made(1)):
        assert refused(quotas, made(1)) is None
        assert refused(quotas, made(2)) is not None
    index.apply(entry(made(1)))
    assert refused(quotas, made(1)) is None


def test_a_job_that_was_not_accepted_gives_its_room_back(index: JobIndex) -> None:
    quotas = Quotas(index, 1, 10)
    with pytest.raises(ConnectionError), quotas.admitted(made(1)):
        raise ConnectionError
    assert refused(quotas, made(2)) is None


def test_without_keys_nothing_is_counted(index: JobIndex) -> None:
    quotas = Quotas(index, 1, 10)
    for number in range(3):
        index.apply(entry(made(number, owner=None)))
        assert refused(quotas, made(9, seconds=100, owner=None)) is None


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"status": JobStatus.QUEUED}, True),
        ({"status": JobStatus.COMPLETED, "attempts": 1}, True),
        ({"status": JobStatus.CANCELLED, "attempts": 1}, True),
        ({"status": JobStatus.QUEUED, "follows": True}, True),
        ({"status": JobStatus.COMPLETED, "source": "gen_000000000000"}, False),
        ({"status": JobStatus.CANCELLED}, False),
        ({"status": JobStatus.FAILED, "attempts": 3}, False),
        ({"status": JobStatus.COMPLETED, "attempts": 1, "owner": "web"}, False),
    ],
)
def test_what_counts_for_the_day(index: JobIndex, fields: dict[str, Any], counts: bool) -> None:
    index.apply(entry(made(1, seconds=10, **fields)))
    assert (refused(Quotas(index, 100, 15), made(2, seconds=10)) is not None) == counts


def test_a_day_is_the_last_24_hours_and_the_answer_says_when_there_is_room(index: JobIndex) -> None:
    quotas = Quotas(index, 100, 30)
    for number, hours in ((1, 25), (2, 20), (3, 10), (4, 5)):
        index.apply(entry(made(number, hours=hours)))
    problem = refused(quotas, made(5, seconds=10))
    assert problem is not None
    assert 4 * 3600 - 5 <= int(problem.headers["Retry-After"]) <= 4 * 3600
    problem = refused(quotas, made(5, seconds=20))
    assert problem is not None
    assert 14 * 3600 - 5 <= int(problem.headers["Retry-After"]) <= 14 * 3600
    assert "30 seconds of audio" in problem.detail


def test_what_is_more_than_a_day_has_never_fits(index: JobIndex) -> None:
    problem = refused(Quotas(index, 100, 30), made(1, seconds=31))
    assert problem is not None
    assert int(problem.headers["Retry-After"]) == DAY.total_seconds()
