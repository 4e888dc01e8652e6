"""One child process: started with its own log file and session, ended for certain."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.stack.runfile import RunningProcess
from shared.errors import MusicgenError

PR_SET_PDEATHSIG = 1
LOG_TAIL = 15


class ChildFailedError(MusicgenError):
    """A child ended before it was ready, or did not get ready in time."""


@dataclass(frozen=True)
class ChildSpec:
    """How to run one child.

    Attributes:
        is_ready: asked until it says yes.
        grace: seconds from SIGTERM to SIGKILL.
        cwd: the working directory. A foreign program that is given paths from there never sees the name of the data
            folder, in which a comma, a quote or its length would mean something else to it.
    """

    name: str
    role: str
    argv: list[str]
    env: dict[str, str]
    urls: list[str]
    is_ready: Callable[[], Awaitable[bool]]
    grace: float = 10.0
    patience: float = field(default=60.0)
    cwd: Path | None = None


class Child:
    """The running process of a spec; `start` again after it has ended."""

    def __init__(self, spec: ChildSpec, log_dir: Path) -> None:
        self.spec = spec
        self.log_file = log_dir / f"{spec.name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._started = 0.0

    async def start(self) -> None:
        """Run the program; its output goes to the log file."""
        with self.log_file.open("ab") as log:
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

    async def until_ready(self) -> None:
        """Wait until the program answers.

        Raises:
            ChildFailedError: with the end of its log, if it ends or takes too long.
        """
        try:
            async with asyncio.timeout(self.spec.patience):
                while not await self.spec.is_ready():
                    if self.exit_code is not None:
                        raise ChildFailedError(f"{self.spec.name} ended with {self.exit_code}.\n{self.log_tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise ChildFailedError(
                f"{self.spec.name} was not ready after {self.spec.patience:g} s.\n{self.log_tail()}"
            ) from error

    async def wait(self) -> int:
        """The exit code, when it has ended."""
        assert self._process is not None
        return await self._process.wait()

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

    def describe(self) -> RunningProcess | None:
        """Its line in `run.json`, if it runs."""
        if self._process is None or self.exit_code is not None:
            return None
        return RunningProcess(role=self.spec.role, pid=self._process.pid, urls=self.spec.urls, started=self._started)

    def log_tail(self) -> str:
        """The last lines of its log, indented, and where the rest is."""
        lines = self.log_file.read_text(errors="replace").splitlines()[-LOG_TAIL:]
        return "\n".join([*(f"    {line}" for line in lines), f"  The whole log: {self.log_file}"])

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # Not send_signal: it polls, and may so take the exit code from asyncio, which then reports 255.
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


def _die_with_parent() -> None:
    """Linux tells the child when its parent dies, so that even kill -9 of the supervisor leaves nobody behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
