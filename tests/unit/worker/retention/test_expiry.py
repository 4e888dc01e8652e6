"""Which audio and which records are selected for removal."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.storage import IN_USE
from worker.retention.expiry import LastUse, select_excess, select_expired

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
AGES = st.timedeltas(timedelta(minutes=-5), timedelta(days=10))
KEPT = st.lists(st.tuples(AGES, st.integers(0, 100)), max_size=12).map(
    lambda rows: [LastUse(NOW - age, str(number), size) for number, (age, size) in enumerate(rows)]
)
BUDGETS = st.integers(0, 600)


def last_used(age: timedelta, size: int = 10, job_id: str = "a") -> LastUse:
    return LastUse(NOW - age, job_id, size)


@given(KEPT, BUDGETS)
def test_the_least_recently_used_audio_goes_first_and_none_in_use(kept: list[LastUse], budget: int) -> None:
    gone = [each.job_id for each in select_expired(kept, NOW, WEEK, budget)]
    assert gone == [each.job_id for each in sorted(kept)][: len(gone)]
    assert all(NOW - each.at > IN_USE for each in kept if each.job_id in gone)


@given(KEPT, BUDGETS)
def test_audio_that_stays_is_in_use_or_within_the_limits(kept: list[LastUse], budget: int) -> None:
    gone = {each.job_id for each in select_expired(kept, NOW, WEEK, budget)}
    stays = [each for each in kept if each.job_id not in gone]
    idle = [each for each in stays if NOW - each.at > IN_USE]
    assert all(NOW - each.at <= WEEK for each in idle)
    assert not budget or not idle or sum(each.size for each in stays) <= budget


@given(KEPT, st.integers(1, 600))
def test_no_more_audio_goes_than_necessary(kept: list[LastUse], budget: int) -> None:
    for each in select_expired(kept, NOW, WEEK, budget):
        (one,) = (other for other in kept if other.job_id == each.job_id)
        newer = [other for other in kept if other >= one]
        too_old, too_much = NOW - one.at > WEEK, sum(other.size for other in newer) > budget
        assert each.reason == ("age" if too_old else "budget")
        assert too_old or too_much


@given(KEPT)
def test_without_a_budget_only_age_counts(kept: list[LastUse]) -> None:
    assert {each.reason for each in select_expired(kept, NOW, WEEK, 0)} <= {"age"}


def test_audio_in_use_stays_even_with_a_limit_of_minutes() -> None:
    assert select_expired([last_used(IN_USE)], NOW, timedelta(minutes=1), 1) == []
    assert len(select_expired([last_used(IN_USE + timedelta(seconds=1))], NOW, timedelta(minutes=1), 0)) == 1


@given(KEPT, st.integers(-3, 15))
def test_excess_jobs_are_the_oldest_ones_not_in_use(finished: list[LastUse], excess: int) -> None:
    gone = select_excess(finished, NOW, excess)
    oldest = sorted(finished)[: max(excess, 0)]
    assert gone == [each.job_id for each in oldest if NOW - each.at > IN_USE]
