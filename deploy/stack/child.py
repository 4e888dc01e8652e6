"""One child process: started with its own log file and session, ended for certain."""

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from deploy.stack.data_folder import RunningProcess
from deploy.stack.ports import has_listener
from shared.errors import MusicgenError

PR_SET_PDEATHSIG = 1
# Seconds between two looks whether another program has a port of a child that is not ready.
PORT_CHECK_INTERVAL = 1.0
# Where a Go program begins to list what it was doing when it failed.
_GO_STACK = re.compile(r"goroutine \d+ \[")
# The line in which nats-server, SeaweedFS or Go says why it ends.
_FATAL_LINE = re.compile(r"\[FTL\]|^[EF]\d{4} |^panic:|already in use", re.IGNORECASE)
# Seconds between two looks, those that one answer may take, and the looks in a row after which a child hangs.
HANG_CHECK_INTERVAL = 10.0
HANG_CHECK_TIMEOUT = 3.0
MAX_MISSES = 3
# A look that took so many seconds longer than it should says more about this process, or this machine, than about the
# child: both were stopped or suspended.
SUSPEND_SLACK = 5.0

_LIVENESS_REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class ChildFailedError(MusicgenError):
    """A child ended before it was ready, or did not get ready in time."""


class PortTakenError(ChildFailedError):
    """Another program got a port between its choice and the child's start."""


@dataclass(frozen=True)
class ChildSpec:
    """How to run one child.

    Attributes:
        is_ready: asked until it says yes.
        grace: seconds from SIGTERM to SIGKILL.
        cwd: the working directory. A foreign program that is given paths from there never sees the name of the data
            folder, in which a comma, a quote or its length would mean something else to it.
        ports: that the child has_listener on; the first is the one of `urls`.
        with_other_ports: makes the spec with other ports; None if it has to have these.
    """

    name: str
    role: str
    argv: list[str]
    env: dict[str, str]
    urls: list[str]
    is_ready: Callable[[], Awaitable[bool]]
    grace: float = 10.0
    ready_timeout: float = field(default=60.0)
    cwd: Path | None = None
    ports: tuple[int, ...] = ()
    with_other_ports: "Callable[[], ChildSpec] | None" = None


class Child:
    """The running process of a spec; `start` again after it has ended."""

    def __init__(self, spec: ChildSpec, log_dir: Path) -> None:
        self.spec = spec
        self.log_file = log_dir / f"{spec.name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._started = 0.0
        self._log_offset = 0
        self._ports_checked_at = 0.0

    async def start(self) -> None:
        """Run the program; its output goes to the log file."""
        self._ports_checked_at = time.monotonic()
        with self.log_file.open("ab") as log:
            self._log_offset = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.argv,
                env=self.spec.env,
                cwd=self.spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal is for the supervisor alone, which ends children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        with suppress(psutil.NoSuchProcess):
            self._started = psutil.Process(self._process.pid).create_time()

    async def wait_until_ready(self) -> None:
        """Wait until the program answers.

        Raises:
            PortTakenError: if another program has_listener on one of its ports.
            ChildFailedError: with the reason that its log gives, if it ends or takes too long.
        """
        try:
            async with asyncio.timeout(self.spec.ready_timeout):
                while not await self._check_ready():
                    pass
        except TimeoutError as error:
            raise self._failure(f"was not ready after {self.spec.ready_timeout:g} s") from error

    async def _check_ready(self) -> bool:
        """Ask once whether it is ready. Another program on the same port may answer in its place, or hold the line."""
        asking = asyncio.create_task(self._is_ready())
        try:
            while True:
                await asyncio.wait({asking}, timeout=PORT_CHECK_INTERVAL)
                if asking.done() and asking.result():
                    return True
                ended = self.exit_code is not None
                if ended or self._is_port_check_due():
                    self._check_ports()
                if ended:
                    raise self._failure(f"ended with {self.exit_code}")
                if asking.done():
                    await asyncio.sleep(0.05)
                    return False
        finally:
            asking.cancel()

    async def _is_ready(self) -> bool:
        return await self.spec.is_ready() and set(self.spec.ports[:1]) <= self._own_ports()

    async def wait(self) -> int:
        """The exit code, when it has ended."""
        assert self._process is not None
        return await self._process.wait()

    async def wait_until_hung(self) -> None:
        """Return when it has not reacted for half a minute; never for a child that has_listener nowhere."""
        if self.spec.ports:
            await wait_until_unresponsive(lambda: is_responsive(self.spec.urls[0]))
        else:
            await asyncio.Event().wait()

    async def stop(self, *, force: asyncio.Event) -> bool:
        """SIGTERM, and SIGKILL after the grace period or when `force` is set; returns whether it had to be killed."""
        if self._process is None or self.exit_code is not None:
            return False
        self._signal(signal.SIGTERM)
        # A stopped (SIGSTOP) child would never see the SIGTERM.
        self._signal(signal.SIGCONT)
        ended, forced = asyncio.create_task(self.wait()), asyncio.create_task(force.wait())
        await asyncio.wait({ended, forced}, timeout=self.spec.grace, return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        killed = not ended.done()
        if killed:
            self._signal(signal.SIGKILL)
        await ended
        return killed

    def run_file_entry(self) -> RunningProcess | None:
        """Its line in `run.json`, if it runs."""
        if self._process is None or self.exit_code is not None:
            return None
        return RunningProcess(role=self.spec.role, pid=self._process.pid, urls=self.spec.urls, started=self._started)

    def failure_reason(self) -> str:
        """The line of its log, since it was started, that says best why it failed."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_offset)
            lines = log.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in takewhile(lambda line: not _GO_STACK.match(line), lines) if line.strip()]
        fatal = [line for line in said if _FATAL_LINE.search(line)]
        return (fatal or said or ["it said nothing"])[-1]

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def _failure(self, what: str) -> ChildFailedError:
        kind = PortTakenError if "address already in use" in self.failure_reason().lower() else ChildFailedError
        return kind(f"{self.spec.name} {what}: {self.failure_reason()}\n  The whole log: {self.log_file}")

    def _is_port_check_due(self) -> bool:
        if time.monotonic() - self._ports_checked_at < PORT_CHECK_INTERVAL:
            return False
        self._ports_checked_at = time.monotonic()
        return True

    def _check_ports(self) -> None:
        # In this order: the child may begin to listen between the two looks.
        in_use = [port for port in self.spec.ports if has_listener(port)]
        for port in set(in_use) - self._own_ports():
            raise PortTakenError(f"{self.spec.name} cannot have port {port}: another program has taken it")

    def _own_ports(self) -> set[int]:
        """The ports on which the process has_listener; all of its own where the system does not tell."""
        if self._process is None or self.exit_code is not None:
            return set()
        try:
            found = psutil.Process(self._process.pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            return set()
        except psutil.AccessDenied:  # of a worker, which hides its environment from other processes of its user
            return set(self.spec.ports)
        return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # Not send_signal: it polls, and may so take the exit code from asyncio, which then reports 255.
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


def _die_with_parent() -> None:
    """Linux tells the child when its parent dies, so that even kill -9 of the supervisor leaves nobody behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def is_responsive(url: str) -> bool:
    """Whether the server at `url` does anything within a while: answers, or refuses and closes the connection."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(HANG_CHECK_TIMEOUT):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                if parts.scheme == "http":  # NATS speaks first
                    writer.write(_LIVENESS_REQUEST)
                await reader.read(1)
            finally:
                writer.close()
    except (TimeoutError, ConnectionRefusedError):
        return False
    except OSError:
        return True
    return True


async def wait_until_unresponsive(
    check: Callable[[], Awaitable[bool]], clock: Callable[[], float] = time.monotonic
) -> None:
    """Return when `look` has said no three times in a row, half a minute in all."""
    misses = 0
    while misses < MAX_MISSES:
        began = clock()
        await asyncio.sleep(HANG_CHECK_INTERVAL)
        reacted = await check()
        overslept = clock() - began > HANG_CHECK_INTERVAL + HANG_CHECK_TIMEOUT + SUSPEND_SLACK
        misses = 0 if reacted or overslept else misses + 1
