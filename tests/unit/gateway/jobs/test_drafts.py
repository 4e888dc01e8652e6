"""Creation times of new jobs."""

from datetime import datetime, timedelta

import pytest

from gateway.jobs import drafts
from gateway.jobs.drafts import Creations
from tests.unit.gateway.samples import NOON


def times(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> list[float]:
    """Creation times for these clock readings, in milliseconds after noon."""
    shown = iter(clock)
    monkeypatch.setattr(drafts, "now", lambda: NOON + timedelta(milliseconds=next(shown)))
    creations = Creations()
    made: list[datetime] = [creations.next() for _ in clock]
    return [(moment - NOON) / timedelta(milliseconds=1) for moment in made]


def test_creation_times_within_a_millisecond_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert times(monkeypatch, [0, 0, 0, 1, 2, 9]) == [0, 1, 2, 3, 4, 9]


def test_a_clock_set_back_keeps_the_order_within_a_second_and_is_followed_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert times(monkeypatch, [1000, 500, 600, 2000]) == [1000, 1001, 1002, 2000]
    assert times(monkeypatch, [3_600_000, 0, 0]) == [3_600_000, 0, 1]
