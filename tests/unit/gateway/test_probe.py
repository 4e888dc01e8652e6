"""What the gateway makes of its looks at NATS and S3."""

import pytest

from gateway.probe import Component
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
