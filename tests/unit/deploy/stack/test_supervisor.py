"""Starting, restarting and stopping children."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.stack import child as child_module
from deploy.stack import supervisor as module
from deploy.stack.child import ChildFailedError, ChildSpec
from deploy.stack.data_folder import RUN_FILE, RunningProcess, read_run_file
from deploy.stack.ports import LOOPBACK, free_ports
from deploy.stack.supervisor import Supervisor
from tests.unit.deploy.stack.programs import DEAF, FAIL, HEAD, SLEEP, spec


@asynccontextmanager
async def supervised(folder: Path) -> AsyncIterator[tuple[Supervisor, io.StringIO]]:
    """A supervisor and its output; its children are stopped at the end."""
    said = io.StringIO()
    supervisor = Supervisor(folder, Console(file=said, width=200))
    try:
        yield supervisor, said
    finally:
        await supervisor.stop()


async def until_said(said: io.StringIO, words: str) -> None:
    async with asyncio.timeout(10):
        while words not in said.getvalue():
            await asyncio.sleep(0.02)


def running(folder: Path, role: str) -> RunningProcess:
    (found,) = [each for each in read_run_file(folder) if each.role == role]
    return found


async def test_started_children_are_listed_and_printed_with_their_url(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, said):
        for name in ("first", "second"):
            await supervisor.start(spec(tmp_path, SLEEP, name=name))
        assert [each.role for each in read_run_file(tmp_path)] == ["first", "second"]
        assert "http://second" in said.getvalue()
        for name in ("first", "second"):
            assert running(tmp_path, name).pid == int((tmp_path / f"{name}.ready").read_text())


async def test_children_started_together_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, said):
        first, second = (spec(tmp_path, SLEEP, name=name) for name in ("first", "second"))
        first = replace(first, is_ready=second.is_ready)
        await supervisor.start(first, second)
        assert said.getvalue().index("✓ first") < said.getvalue().index("✓ second")
        assert [each.role for each in read_run_file(tmp_path)] == ["first", "second"]


async def test_a_failing_child_stops_those_started_with_it(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, _):
        with pytest.raises(ChildFailedError, match="no such port"):
            await supervisor.start(spec(tmp_path, FAIL, name="first"), spec(tmp_path, SLEEP, name="second"))
        pid = running(tmp_path, "second").pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_children_stop_in_reverse_order_and_the_run_file_goes(tmp_path: Path) -> None:
    program = HEAD + (
        "def end(*_):\n"
        "    with ready.with_name('order').open('a') as order: order.write(ready.stem + ' ')\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nready.write_text('x')\ntime.sleep(60)"
    )
    async with supervised(tmp_path) as (supervisor, said):
        for name in ("nats", "worker", "gateway"):
            await supervisor.start(spec(tmp_path, program, name=name))
    assert (tmp_path / "order").read_text().split() == ["gateway", "worker", "nats"]
    assert said.getvalue().index("stopped gateway") < said.getvalue().index("stopped nats")
    assert not (tmp_path / RUN_FILE).exists()


async def test_a_dead_child_is_restarted_and_both_are_reported(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, said):
        await supervisor.start(spec(tmp_path, SLEEP))
        before = running(tmp_path, "tiny").pid
        os.kill(before, signal.SIGKILL)
        await until_said(said, "tiny is back")
        assert "tiny ended (signal 9); it starts again in 0.5 s" in said.getvalue()
        after = running(tmp_path, "tiny").pid
        assert after != before
        os.kill(after, 0)


async def test_the_restart_delay_grows_with_every_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESTART_DELAYS", (0.01, 0.02, 0.03))
    program = HEAD + "ready.write_text('x')\nsys.exit(3)"
    async with supervised(tmp_path) as (supervisor, said):
        await supervisor.start(spec(tmp_path, program))
        async with asyncio.timeout(10):
            while said.getvalue().count("in 0.03 s") < 2:
                await asyncio.sleep(0.02)
    text = said.getvalue()
    assert text.count("in 0.01 s") == text.count("in 0.02 s") == 1
    assert "exit code 3" in text


async def test_a_failing_child_stops_those_started_before(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, _):
        await supervisor.start(spec(tmp_path, SLEEP, name="first"))
        with pytest.raises(ChildFailedError, match="no such port"):
            await supervisor.start(spec(tmp_path, FAIL, name="second"))
        pid = running(tmp_path, "first").pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_stop_cancels_a_pending_restart(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, said):
        await supervisor.start(spec(tmp_path, SLEEP))
        os.kill(running(tmp_path, "tiny").pid, signal.SIGKILL)
        await until_said(said, "starts again")
    assert "is back" not in said.getvalue()
    assert read_run_file(tmp_path) == []


async def test_force_stops_all_children_at_once(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, _):
        for name in ("first", "second"):
            await supervisor.start(spec(tmp_path, DEAF, name=name, grace=60))
        supervisor.force.set()
        async with asyncio.timeout(5):
            await supervisor.stop()


async def test_a_start_truncates_the_log(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "tiny.log"
    log.write_text("previous start\n")
    async with supervised(tmp_path) as (supervisor, _):
        await supervisor.start(spec(tmp_path, SLEEP))
        assert log.read_text() == ""


SERVER = HEAD + (
    "import http.server\n"
    "server = http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.BaseHTTPRequestHandler)\n"
    "ready.write_text(str(os.getpid()))\nserver.serve_forever()"
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check for hangs every tenth of a second instead of every ten."""
    monkeypatch.setattr(child_module, "HANG_CHECK_INTERVAL", 0.1)
    monkeypatch.setattr(child_module, "HANG_CHECK_TIMEOUT", 1.0)


def server(folder: Path, **fields: Any) -> ChildSpec:
    (port,) = free_ports(1)
    environment = os.environ | {"PORT": str(port)}
    return spec(folder, SERVER, urls=[f"http://{LOOPBACK}:{port}"], ports=(port,), env=environment, **fields)


@pytest.mark.usefixtures("quick")
async def test_a_frozen_child_is_restarted(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, said):
        await supervisor.start(server(tmp_path))
        before = running(tmp_path, "tiny").pid
        os.kill(before, signal.SIGSTOP)
        await until_said(said, "tiny is back")
        assert "tiny does not answer and is being stopped" in said.getvalue()
        assert "tiny hung and was stopped; it starts again in 0.5 s" in said.getvalue()
        assert running(tmp_path, "tiny").pid != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


@pytest.mark.usefixtures("quick")
async def test_a_child_that_hangs_and_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = SERVER.replace("server.serve_forever()", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)")
    async with supervised(tmp_path) as (supervisor, said):
        await supervisor.start(replace(server(tmp_path, grace=0.3), argv=spec(tmp_path, deaf).argv))
        await until_said(said, "tiny hung and was killed")


@pytest.mark.usefixtures("quick")
async def test_a_child_that_answers_is_left_alone(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, said):
        await supervisor.start(server(tmp_path))
        before, asked = running(tmp_path, "tiny").pid, tmp_path / "logs" / "tiny.log"
        async with asyncio.timeout(10):
            while asked.read_text().count("/health/live") < 6:
                await asyncio.sleep(0.02)
        assert running(tmp_path, "tiny").pid == before
        assert "!" not in said.getvalue()
