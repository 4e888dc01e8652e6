"""One child process: start, readiness, hang detection and a guaranteed end."""

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
# Seconds between checks whether another program took a port of a child that is not ready.
PORT_CHECK_INTERVAL = 1.0
# First line of a Go stack trace.
_GO_STACK = re.compile(r"goroutine \d+ \[")
# A line in which nats-server, SeaweedFS or the Go runtime gives the reason for exiting.
_FATAL_LINE = re.compile(r"\[FTL\]|^[EF]\d{4} |^panic:|already in use", re.IGNORECASE)
# Hang detection: seconds between checks, the timeout of one check, and the failed checks in a row that mean a hang.
HANG_CHECK_INTERVAL = 10.0
HANG_CHECK_TIMEOUT = 3.0
MAX_MISSES = 3
# A check that took this many seconds too long does not count: this process or the machine was suspended.
SUSPEND_SLACK = 5.0

_LIVENESS_REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class ChildFailedError(MusicgenError):
    """A child exited before it was ready, or was not ready in time."""


class PortTakenError(ChildFailedError):
    """Another program took a port after it was chosen and before the child bound it."""


@dataclass(frozen=True)
class ChildSpec:
    """How to run one child.

    Attributes:
        is_ready: polled until it returns True.
        grace: seconds from SIGTERM to SIGKILL.
        cwd: the working directory. Third-party programs get paths relative to it, because commas, quotes or the
            length of the data folder's path could confuse them.
        ports: the ports that the child listens on; the first one is that of `urls`.
        with_other_ports: returns the spec with other ports; None if the ports are fixed.
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
    """The process of a spec. It can be started again after it has ended."""

    def __init__(self, spec: ChildSpec, log_dir: Path) -> None:
        self.spec = spec
        self.log_file = log_dir / f"{spec.name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._started = 0.0
        self._log_offset = 0
        self._ports_checked_at = 0.0

    async def start(self) -> None:
        """Start the program with its output in the log file."""
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
                # Only the supervisor gets Ctrl-C from the terminal; it stops the children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        with suppress(psutil.NoSuchProcess):
            self._started = psutil.Process(self._process.pid).create_time()

    async def wait_until_ready(self) -> None:
        """Wait until the program is ready.

        Raises:
            PortTakenError: if another program listens on one of its ports.
            ChildFailedError: with the reason from its log, if it exits or takes too long.
        """
        try:
            async with asyncio.timeout(self.spec.ready_timeout):
                while not await self._check_ready():
                    pass
        except TimeoutError as error:
            raise self._failure(f"was not ready after {self.spec.ready_timeout:g} s") from error

    async def _check_ready(self) -> bool:
        """Check once whether it is ready. Another program on its port may answer instead, or never answer."""
        check = asyncio.create_task(self._is_ready())
        try:
            while True:
                await asyncio.wait({check}, timeout=PORT_CHECK_INTERVAL)
                if check.done() and check.result():
                    return True
                ended = self.exit_code is not None
                if ended or self._is_port_check_due():
                    self._check_ports()
                if ended:
                    raise self._failure(f"ended with {self.exit_code}")
                if check.done():
                    await asyncio.sleep(0.05)
                    return False
        finally:
            check.cancel()

    async def _is_ready(self) -> bool:
        return await self.spec.is_ready() and set(self.spec.ports[:1]) <= self._own_ports()

    async def wait(self) -> int:
        """Wait for its end and return the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def wait_until_hung(self) -> None:
        """Return once it has been unresponsive for half a minute; never return for a child without ports."""
        if self.spec.ports:
            await wait_until_unresponsive(lambda: is_responsive(self.spec.urls[0]))
        else:
            await asyncio.Event().wait()

    async def stop(self, *, force: asyncio.Event) -> bool:
        """Send SIGTERM, then SIGKILL after the grace period or when `force` is set; return whether it was killed."""
        if self._process is None or self.exit_code is not None:
            return False
        self._signal(signal.SIGTERM)
        # A stopped (SIGSTOP) child cannot handle SIGTERM until it continues.
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
        """Return its entry for `run.json`, or None if it is not running."""
        if self._process is None or self.exit_code is not None:
            return None
        return RunningProcess(role=self.spec.role, pid=self._process.pid, urls=self.spec.urls, started=self._started)

    def failure_reason(self) -> str:
        """Return the log line since the last start that best explains the failure."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_offset)
            lines = log.read().decode(errors="replace").splitlines()
        messages = [line.strip() for line in takewhile(lambda line: not _GO_STACK.match(line), lines) if line.strip()]
        fatal = [line for line in messages if _FATAL_LINE.search(line)]
        return (fatal or messages or ["it logged nothing"])[-1]

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def _failure(self, what: str) -> ChildFailedError:
        kind = PortTakenError if "address already in use" in self.failure_reason().lower() else ChildFailedError
        return kind(f"{self.spec.name} {what}: {self.failure_reason()}\n  Full log: {self.log_file}")

    def _is_port_check_due(self) -> bool:
        if time.monotonic() - self._ports_checked_at < PORT_CHECK_INTERVAL:
            return False
        self._ports_checked_at = time.monotonic()
        return True

    def _check_ports(self) -> None:
        # In this order, because the child may start listening between the two calls.
        in_use = [port for port in self.spec.ports if has_listener(port)]
        for port in set(in_use) - self._own_ports():
            raise PortTakenError(f"{self.spec.name} cannot use port {port}: another program has taken it")

    def _own_ports(self) -> set[int]:
        """Return the ports on which the process listens; all ports of the spec if the system denies access."""
        if self._process is None or self.exit_code is not None:
            return set()
        try:
            found = psutil.Process(self._process.pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            return set()
        except psutil.AccessDenied:  # a worker hides its environment from other processes of its user
            return set(self.spec.ports)
        return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # Not send_signal, which polls and may steal the exit code from asyncio, which then reports 255.
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


def _die_with_parent() -> None:
    """Have Linux send SIGTERM when the parent dies, so that even kill -9 of the supervisor leaves no orphans."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def is_responsive(url: str) -> bool:
    """Return whether the server at `url` answers or closes the connection in time.

    A frozen process keeps its port open but does neither.
    """
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(HANG_CHECK_TIMEOUT):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                if parts.scheme == "http":  # nats-server sends first
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
    """Return once `check` has failed MAX_MISSES times in a row, in half a minute."""
    misses = 0
    while misses < MAX_MISSES:
        began = clock()
        await asyncio.sleep(HANG_CHECK_INTERVAL)
        responsive = await check()
        overslept = clock() - began > HANG_CHECK_INTERVAL + HANG_CHECK_TIMEOUT + SUSPEND_SLACK
        misses = 0 if responsive or overslept else misses + 1
