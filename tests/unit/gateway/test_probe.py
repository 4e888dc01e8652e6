"""What the gateway makes of its looks at NATS and S3."""

from datetime import timedelta

import pytest

from gateway.probe import Component
from gateway.services import Services
from shared.bus import Bus
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


@pytest.mark.parametrize(("seconds", "words"), [(1, None), (60, "cannot be followed")])
async def test_a_gateway_that_has_not_heard_of_the_records_for_long_is_not_ready(
    services: Services, monkeypatch: pytest.MonkeyPatch, seconds: int, words: str | None
) -> None:
    monkeypatch.setattr(Bus, "is_ready", True)
    monkeypatch.setattr(services.index, "apart", lambda: timedelta(seconds=seconds))
    assert (services.probe.obstacle is None) == (words is None)
    assert (words or "") in (services.probe.obstacle or "")
