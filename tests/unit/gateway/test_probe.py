"""What the gateway makes of its looks at NATS and S3."""

import pytest

from gateway.probe import Component, Stall
from gateway.services import Services
from shared.errors import BucketError, UnavailableError


@pytest.fixture
def fail(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[Exception | None]:
    """What the next looks at S3 raise, in order."""
    outcomes: list[Exception | None] = []

    async def check() -> None:
        if error := outcomes.pop(0):
            raise error

    monkeypatch.setattr(services.storage, "check", check)
    return outcomes


async def test_one_bad_look_changes_nothing_and_one_good_one_mends_all(
    services: Services, fail: list[Exception | None]
) -> None:
    probe, found = services.probe, []
    away = UnavailableError("S3 is away")
    fail += [None, away, None, away, away, None]
    while fail:
        await probe._look_at_s3()
        found.append(probe.s3.status)
    assert found == ["healthy", "healthy", "healthy", "healthy", "degraded", "healthy"]


async def test_the_first_look_counts_at_once(services: Services, fail: list[Exception | None]) -> None:
    fail.append(BucketError("S3 has no bucket music-audio"))
    await services.probe._look_at_s3()
    assert services.probe.s3 == Component("unhealthy", "S3 has no bucket music-audio")


def test_a_watch_that_moves_is_not_stalled() -> None:
    stall = Stall()
    assert not any(stall.is_seen(last, position) for last, position in [(5, 5), (9, 5), (9, 9), (30, 9), (40, 20)])


def test_a_watch_that_stands_while_records_change_is_stalled() -> None:
    stall = Stall()
    assert [stall.is_seen(last, 5) for last in (5, 9, 9)] == [False, False, True]


def test_a_watch_is_not_stalled_by_what_was_there_before_it() -> None:
    """The newest record may have expired: a watch that begins now never hears of it."""
    stall = Stall()
    assert not any(stall.is_seen(9, 5) for _ in range(5))
