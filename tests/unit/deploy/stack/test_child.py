"""One child, run as a real process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deploy.stack.child import Child, ChildFailedError, ChildSpec, PortTakenError
from deploy.stack.ports import LOOPBACK
from tests.unit.deploy.stack.programs import DEAF, FAIL, HEAD, POLITE, SLEEP, appears, spec

ROOT = Path(__file__).parents[4]


@pytest.fixture
async def children() -> AsyncIterator[list[Child]]:
    """Children that are stopped at the end of the test."""
    started: list[Child] = []
    yield started
    force = asyncio.Event()
    force.set()
    for child in started:
        await child.stop(force=force)


async def run(children: list[Child], wanted: ChildSpec, folder: Path) -> Child:
    child = Child(wanted, folder)
    children.append(child)
    await child.start()
    return child


async def test_a_ready_child_reports_its_pid_and_stops_on_sigterm(tmp_path: Path, children: list[Child]) -> None:
    child = await run(children, spec(tmp_path, SLEEP), tmp_path)
    await child.wait_until_ready()
    found = child.run_file_entry()
    assert found is not None
    assert (found.role, found.urls) == ("tiny", ["http://tiny"])
    assert psutil.Process(found.pid).create_time() == pytest.approx(found.started)
    await child.stop(force=asyncio.Event())
    assert child.exit_code == -signal.SIGTERM
    assert not psutil.pid_exists(found.pid)
    assert child.run_file_entry() is None


async def test_a_child_that_exits_early_fails_with_its_last_log_line(tmp_path: Path, children: list[Child]) -> None:
    child = await run(children, spec(tmp_path, FAIL), tmp_path)
    with pytest.raises(ChildFailedError, match="tiny ended with 7") as caught:
        await child.wait_until_ready()
    text = str(caught.value)
    assert "no such port" in text
    assert "first line" not in text
    assert str(child.log_file) in text


GO = """
I1129 06:30:01.100000 mini.go:10 starting
F1129 06:30:01.200000 filer.go:300 listen tcp 127.0.0.1:18000: bind: address {}
goroutine 1 [running]:
main.main()
E1129 not this one
exit status 1
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (GO.format("not available"), "filer.go:300 listen tcp 127.0.0.1:18000: bind: address not available"),
        ("[1] [INF] Starting\n[1] [FTL] Cannot create store\n[1] [INF] bye\n", "[1] [FTL] Cannot create store"),
        ("Traceback (most recent call last):\n  File\nOSError: no such port\n\n", "OSError: no such port"),
        ("", "it logged nothing"),
    ],
)
async def test_a_failure_quotes_one_line_of_the_log(
    tmp_path: Path, children: list[Child], said: str, reason: str
) -> None:
    program = f"import sys; print({said!r}, end=''); sys.exit(1)"
    child = await run(children, spec(tmp_path, program), tmp_path)
    with pytest.raises(ChildFailedError) as caught:
        await child.wait_until_ready()
    first, second = str(caught.value).splitlines()
    assert first.startswith("tiny ended with 1: ")
    assert first.endswith(reason)
    assert second == f"  Full log: {child.log_file}"


async def test_only_the_log_of_the_current_start_is_read(tmp_path: Path, children: list[Child]) -> None:
    child = await run(children, spec(tmp_path, "print('[FTL] previous start')"), tmp_path)
    await child.wait()
    child.spec = spec(tmp_path, "print('this start')")
    await child.start()
    await child.wait()
    assert child.failure_reason() == "this start"


async def test_another_program_on_the_port_does_not_count_as_the_child(tmp_path: Path, children: list[Child]) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        child = await run(children, spec(tmp_path, SLEEP, ports=(port,)), tmp_path)
        with pytest.raises(PortTakenError, match=f"tiny cannot use port {port}"):
            await child.wait_until_ready()


async def test_a_child_that_is_not_ready_in_time_can_be_stopped(tmp_path: Path, children: list[Child]) -> None:
    child = await run(children, spec(tmp_path, "import time; time.sleep(60)", ready_timeout=0.2), tmp_path)
    with pytest.raises(ChildFailedError, match=r"not ready after 0\.2 s"):
        await child.wait_until_ready()
    await child.stop(force=asyncio.Event())
    assert child.exit_code == -signal.SIGTERM


async def test_a_child_that_ignores_sigterm_is_killed_after_the_grace_period(
    tmp_path: Path, children: list[Child]
) -> None:
    child = await run(children, spec(tmp_path, DEAF, grace=0.3), tmp_path)
    await child.wait_until_ready()
    started = time.monotonic()
    await child.stop(force=asyncio.Event())
    assert child.exit_code == -signal.SIGKILL
    assert 0.3 <= time.monotonic() - started < 3


async def test_force_skips_the_grace_period(tmp_path: Path, children: list[Child]) -> None:
    child = await run(children, spec(tmp_path, DEAF, grace=60), tmp_path)
    await child.wait_until_ready()
    force = asyncio.Event()
    stopping = asyncio.create_task(child.stop(force=force))
    await asyncio.sleep(0.1)
    assert not stopping.done()
    force.set()
    async with asyncio.timeout(3):
        await stopping
    assert child.exit_code == -signal.SIGKILL


async def test_a_frozen_child_is_continued_to_stop(tmp_path: Path, children: list[Child]) -> None:
    child = await run(children, spec(tmp_path, POLITE), tmp_path)
    await child.wait_until_ready()
    found = child.run_file_entry()
    assert found is not None
    os.kill(found.pid, signal.SIGSTOP)
    async with asyncio.timeout(3):
        await child.stop(force=asyncio.Event())
    assert child.exit_code == 0


async def test_stopping_twice_or_before_the_start_is_fine(tmp_path: Path, children: list[Child]) -> None:
    await Child(spec(tmp_path, SLEEP), tmp_path).stop(force=asyncio.Event())
    child = await run(children, spec(tmp_path, SLEEP), tmp_path)
    await child.wait_until_ready()
    for _ in range(2):
        await child.stop(force=asyncio.Event())
    assert child.exit_code == -signal.SIGTERM


async def test_a_restarted_child_appends_to_its_log(tmp_path: Path, children: list[Child]) -> None:
    child = await run(children, spec(tmp_path, "print('hello')"), tmp_path)
    assert await child.wait() == 0
    await child.start()
    assert await child.wait() == 0
    assert child.log_file.read_text() == "hello\nhello\n"


async def test_a_child_has_its_own_environment_and_session_and_no_stdin(tmp_path: Path, children: list[Child]) -> None:
    program = (
        HEAD + "print(sorted(k for k in os.environ if k != 'LC_CTYPE'), os.getsid(0) == os.getpid(), sys.stdin.read())"
    )
    child = await run(children, spec(tmp_path, program, env={"ONLY": "this"}), tmp_path)
    assert await child.wait() == 0
    assert child.log_file.read_text() == "['ONLY'] True \n"


PARENT = """
import asyncio, sys
from pathlib import Path
from deploy.stack.child import Child
from tests.unit.deploy.stack.programs import SLEEP, spec

async def main():
    folder = Path(sys.argv[1])
    child = Child(spec(folder, SLEEP), folder)
    await child.start()
    await child.wait_until_ready()
    (folder / "parent.ready").write_text("x")
    await child.wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of the parent")
async def test_kill_9_of_the_parent_ends_the_child(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT)
    try:
        async with asyncio.timeout(20):
            while not await appears(tmp_path / "parent.ready")():
                await asyncio.sleep(0.02)
        grandchild = psutil.Process(int((tmp_path / "tiny.ready").read_text()))
    finally:
        parent.kill()
        parent.wait()
    async with asyncio.timeout(5):
        while grandchild.is_running() and grandchild.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_a_child_that_hides_its_sockets_is_ready_when_it_answers(
    tmp_path: Path, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker hides its sockets from every user but root: listing them raises AccessDenied."""

    def refuse(self: psutil.Process, kind: str) -> None:
        raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil.Process, "net_connections", refuse)
    child = await run(children, replace(spec(tmp_path, SLEEP), ports=(1,)), tmp_path)
    await child.wait_until_ready()


def test_a_child_that_starts_listening_during_the_check_has_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []

    def has_listener(port: int) -> bool:
        checked.append(port)
        return True

    monkeypatch.setattr("deploy.stack.child.has_listener", has_listener)
    monkeypatch.setattr(Child, "_own_ports", lambda self: {1} if checked else set())
    Child(replace(spec(tmp_path, SLEEP), ports=(1,)), tmp_path)._check_ports()
    assert checked == [1]
