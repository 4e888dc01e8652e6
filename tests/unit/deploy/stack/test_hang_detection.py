"""When a child counts as hung."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from deploy.stack import child as child_module
from deploy.stack.child import HANG_CHECK_INTERVAL, MAX_MISSES, is_responsive, wait_until_unresponsive
from deploy.stack.ports import LOOPBACK, free_ports


class Time:
    """A clock that only advances by sleeping, or when a test advances it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("deploy.stack.child.asyncio.sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


async def checks_until_hung(time: Time, answers: str, oversleeps: Iterator[float]) -> int:
    """Return the number of checks until the hang, with `+` for an answer and `-` for none."""
    count = 0

    async def check() -> bool:
        nonlocal count
        count += 1
        time.now += next(oversleeps)
        return answers[count - 1] == "+"

    await wait_until_unresponsive(check, time)
    return count


@pytest.mark.parametrize(("answers", "checks"), [("---", 3), ("+---", 4), ("--+--+---", 9), ("-+-+---", 7)])
async def test_a_child_hangs_after_three_misses_in_a_row(time: Time, answers: str, checks: int) -> None:
    assert await checks_until_hung(time, answers, iter([0.0] * checks)) == checks
    assert time.now == checks * HANG_CHECK_INTERVAL


async def test_checks_missed_while_the_machine_slept_do_not_count(time: Time) -> None:
    """The supervisor was suspended for an hour in each of the first three checks, which therefore do not count."""
    oversleeps = iter([3600.0] * MAX_MISSES + [0.0] * MAX_MISSES)
    assert await checks_until_hung(time, "-" * 2 * MAX_MISSES, oversleeps) == 2 * MAX_MISSES


async def test_a_server_that_answers_or_disconnects_is_responsive() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO {}\r\n")
        writer.close()

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    for handler in (answer, close):
        server = await asyncio.start_server(handler, LOOPBACK, 0)
        port = server.sockets[0].getsockname()[1]
        assert await is_responsive(f"nats://{LOOPBACK}:{port}")
        assert await is_responsive(f"http://{LOOPBACK}:{port}/metrics")
        server.close()


async def test_a_silent_port_is_not_responsive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "HANG_CHECK_TIMEOUT", 0.2)
    with socket.create_server((LOOPBACK, 0)) as frozen:  # like a stopped process, for which the kernel accepts
        assert not await is_responsive(f"http://{LOOPBACK}:{frozen.getsockname()[1]}")
    assert not await is_responsive(f"http://{LOOPBACK}:{free_ports(1)[0]}")
