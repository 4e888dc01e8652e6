"""The times of new jobs."""

from datetime import datetime, timedelta

import pytest

from gateway.jobs import submission
from gateway.jobs.submission import Creations
from tests.unit.gateway.samples import NOON


def times(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> list[float]:
    """Milliseconds after noon of the jobs that are made while the clock shows these."""
    shown = iter(clock)
    monkeypatch.setattr(submission, "now", lambda: NOON + timedelta(milliseconds=next(shown)))
    creations = Creations()
    made: list[datetime] = [creations.next() for _ in clock]
    return [(moment - NOON) / timedelta(milliseconds=1) for moment in made]


def test_jobs_of_one_millisecond_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert times(monkeypatch, [0, 0, 0, 1, 2, 9]) == [0, 1, 2, 3, 4, 9]


def test_a_clock_that_is_set_back_a_little_turns_no_order_round_and_one_that_is_far_back_is_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert times(monkeypatch, [1000, 500, 600, 2000]) == [1000, 1001, 1002, 2000]
    assert times(monkeypatch, [3_600_000, 0, 0]) == [3_600_000, 0, 1]
