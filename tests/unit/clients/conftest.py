"""A fake gateway for the clients, and short pauses between retries."""

from collections.abc import AsyncIterator

import pytest
from musicgen_client import AsyncClient, backoff

from tests.unit.clients.gateway import FakeGateway, fake_gateway


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(backoff, "LONGEST_DELAY", 0.02)
    monkeypatch.delenv("MUSICGEN_URL", raising=False)
    monkeypatch.delenv("MUSICGEN_API_KEY", raising=False)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with fake_gateway() as fake:
        yield fake


@pytest.fixture
async def client(gateway: FakeGateway) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(gateway.url, patience=5) as opened:
        yield opened
