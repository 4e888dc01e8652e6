"""The system under test; each test starts the gateways and workers that it needs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.integration.system import System
from tests.servers import Server


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop of a worker waits for its look at the queue to end: 0.3 s instead of a second."""
    monkeypatch.setattr("worker.worker.LOOK_INTERVAL", 0.3)


@pytest.fixture
async def system(nats_urls: dict[str, str], s3_environment: dict[str, dict[str, str]]) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack:
        yield System(nats_urls, s3_environment, stack)


@pytest.fixture
async def isolated(
    nats_process: tuple[Server, dict[str, str]], s3_environment: dict[str, dict[str, str]]
) -> AsyncIterator[System]:
    """A system whose broker the test may kill."""
    async with AsyncExitStack() as stack:
        yield System(nats_process[1], s3_environment, stack)
