"""The index against a plain recomputation."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.index.estimator import Estimator, QueuePlace
from gateway.index.job_index import JobIndex
from gateway.index.position import Position
from shared.messages import JobRecord, JobStatus, now
from shared.records import Entry
from tests.unit.gateway.samples import completed, entry, job_id, record

MODELS = ("starter", "small")
OWNERS = (None, "daw", "web")
NUMBERS = st.integers(0, 5)
# A job's number determines its age and model; several jobs have the same age.
APPLY = st.tuples(NUMBERS, st.sampled_from(JobStatus), st.integers(1, 6))
STEPS = st.lists(APPLY | NUMBERS, max_size=30)


def made(number: int, status: JobStatus) -> JobRecord:
    owner = OWNERS[number % 3]
    return record(number, age=number // 2, model=MODELS[number % 2], duration=number + 1.0, status=status, owner=owner)


def newest_first(model: dict[int, Entry]) -> list[JobRecord]:
    records = [each.record for each in model.values()]
    return sorted(records, key=lambda each: (each.created_at, each.job_id), reverse=True)


@given(STEPS)
def test_any_history_gives_the_same_result_as_a_list(steps: list[tuple[int, JobStatus, int] | int]) -> None:
    index, model = JobIndex(Estimator()), dict[int, Entry]()
    for step in steps:
        if isinstance(step, int):
            index.discard(job_id(step))
            model.pop(step, None)
            continue
        number, status, revision = step
        index.queue_place(made(number, status))  # fills the cache, which the change must invalidate
        index.apply(entry(made(number, status), revision))
        if number not in model or model[number].revision < revision:
            model[number] = entry(made(number, status), revision)

    records = newest_first(model)
    assert index.count(None) == len(records)
    for wanted in (None, *JobStatus):
        matching = [each for each in records if wanted in (None, each.status)]
        assert index.newest(100, wanted, None) == matching
        assert index.count(wanted) == len(matching)
        for owner in OWNERS[1:]:
            own = [each for each in matching if each.owner == owner]
            assert index.newest(100, wanted, None, owner) == own
            assert index.count(wanted, owner) == len(own)
    for number in range(6):
        assert index.record(job_id(number)) == (model[number].record if number in model else None)
    for each in records:
        position = (each.created_at, each.job_id)
        older = [other for other in records if (other.created_at, other.job_id) < position]
        assert index.newest(2, None, Position(*position)) == older[:2]
        queued = [
            other for other in records if other.status is JobStatus.QUEUED and other.recipe.model == each.recipe.model
        ]
        waiting = [other for other in queued if other in older]
        behind = sum((other.created_at, other.job_id) > position for other in queued)
        seconds = sum(other.recipe.duration for other in waiting)  # of whole numbers: exact in any order
        assert index.queue_place(each) == QueuePlace(len(waiting), seconds, behind)


def test_an_older_revision_does_not_replace_a_newer_one() -> None:
    index = JobIndex(Estimator())
    index.apply(entry(completed(1), 5))
    index.apply(entry(record(1), 4))
    index.apply(entry(record(1), 5))
    assert index.record(job_id(1)) == completed(1)
    assert index.count(JobStatus.QUEUED) == 0


def test_discarding_an_unknown_job_is_harmless() -> None:
    index = JobIndex(Estimator())
    index.discard(job_id(1))
    assert index.count(None) == 0


def test_a_completed_job_is_sampled_once() -> None:
    index = JobIndex(Estimator())
    for revision in (1, 1, 1):
        index.apply(entry(completed(1), revision))
    assert index.estimator.queued(record(2), QueuePlace(0, 0.0), slots=1, workers=1) == pytest.approx(5.0)


def test_pages_have_no_gap_or_repetition() -> None:
    index = JobIndex(Estimator())
    for number in range(10):
        index.apply(entry(record(number, age=number // 3)))
    seen: list[str] = []
    before: Position | None = None
    while page := index.newest(3, None, before):
        seen += [each.job_id for each in page]
        before = Position(page[-1].created_at, page[-1].job_id)
    assert seen == [each.job_id for each in index.newest(100, None, None)]
    assert len(set(seen)) == 10


def test_the_oldest_wait_is_that_of_each_model() -> None:
    index = JobIndex(Estimator())
    assert index.oldest_waits() == {}
    for number, age in enumerate((5, 60, 30)):
        index.apply(entry(record(number, model=MODELS[number % 2], created_at=now() - timedelta(seconds=age))))
    waits = index.oldest_waits()
    assert 29.9 <= waits[MODELS[0], "normal"] < 32
    assert 59.9 <= waits[MODELS[1], "normal"] < 62


def test_the_oldest_wait_is_never_negative() -> None:
    index = JobIndex(Estimator())
    index.apply(entry(record(1, created_at=now() + timedelta(hours=1))))
    assert list(index.oldest_waits().values()) == [0.0]


def test_records_before_the_buckets_first_revision_are_removed() -> None:
    index = JobIndex(Estimator())
    for number in range(3):
        index.apply(entry(record(number), number + 1))
    index.apply(entry(completed(0), 4))
    index.forget_before(3)
    assert {each.job_id for each in index.newest(10, None, None)} == {job_id(0), job_id(2)}
    assert [each.record.job_id for each in index.unfinished()] == [job_id(2)]


def test_a_record_with_a_changed_creation_time_moves_in_the_order() -> None:
    index = JobIndex(Estimator())
    first, second = record(1, age=2), record(2, age=1)
    index.apply(entry(first, 1))
    index.apply(entry(second, 2))
    again = record(1, age=0)
    index.apply(entry(again, 3))
    assert index.newest(5, None, None) == [again, second]
    index.discard(again.job_id)
    assert index.newest(5, None, None) == [second]
