"""What runs beside the requests."""

import asyncio

import pytest

from gateway.app import keep_running
from shared.lifecycle import end


class Part:
    """Fails at first."""

    def __init__(self) -> None:
        self.runs = 0
        self.went_on = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.runs < 3:
            raise ValueError("nobody thought of this")
        self.went_on.set()
        await asyncio.Event().wait()


async def test_a_part_that_fails_begins_anew_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.app.PAUSE", 0.0)
    part = Part()
    task = asyncio.create_task(keep_running(part.run))
    async with asyncio.timeout(5):
        await part.went_on.wait()
    await end((task,))
    assert part.runs == 3
    assert caplog.text.count("begins anew") == 2
