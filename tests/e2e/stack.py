"""`musicgen up` as a process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import urllib3
from minio import Minio

from deploy.stack.ports import free_ports
from shared.settings import Settings
from tests.conftest import ROOT

TIMEOUT = 90.0


def musicgen(
    *arguments: str, environment: dict[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a subcommand to completion."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli.main", *arguments],
        env=os.environ | (environment or {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class Up:
    """One run of `musicgen up`, and every process that it ever started."""

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        (self.port,) = free_ports(1)
        self.program = ["-m", "deploy.cli.main"]
        self._arguments = arguments
        self._environment = {"SHUTDOWN_GRACE": "1", **environment}
        self._process: subprocess.Popen[str] | None = None
        self.output_file = data_dir.with_name(f"{data_dir.name}.out")
        self._family: dict[int, psutil.Process] = {}

    def start(self, until: str = "ready") -> "Up":
        """Start it, and wait for an output line that starts with `until`."""
        command = ["up", "--data-dir", str(self.data_dir), "--port", str(self.port), *self._arguments]
        with self.output_file.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self.program, *command],
                env=os.environ | self._environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.wait_for(until)
        self.remember()
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    def wait_for(self, beginning: str) -> None:
        """Wait for an output line that starts with `beginning`, ignoring leading blanks."""
        deadline = time.monotonic() + TIMEOUT
        while not any(line.strip().startswith(beginning) for line in self.output.splitlines()):
            assert self._process is not None
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def run_file(self) -> list[dict[str, Any]]:
        processes: list[dict[str, Any]] = json.loads((self.data_dir / "run.json").read_text())
        return processes

    def pid(self, role: str) -> int:
        return next(int(each["pid"]) for each in self.run_file() if each["role"] == role)

    def remember(self) -> list[psutil.Process]:
        """Record and return all current descendants."""
        assert self._process is not None
        found = psutil.Process(self._process.pid).children(recursive=True)
        self._family |= {each.pid: each for each in found}
        return found

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def environment(self) -> dict[str, str]:
        """Return what `musicgen env` exports, as evaluated by a shell."""
        shown = musicgen("env", "--data-dir", str(self.data_dir))
        assert shown.returncode == 0, shown.stderr
        script = f"set -a; {shown.stdout}\nenv -0"
        output = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
        return dict(line.split("=", 1) for line in output.split("\0") if "=" in line)

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        assert self._process is not None
        return self._process.wait(TIMEOUT)

    def stop(self) -> int:
        """Stop it as Ctrl-C does; return the exit code."""
        self.remember()
        self.signal(signal.SIGINT)
        return self.wait()

    def survivors(self, timeout: float = 15.0) -> list[str]:
        """Return the command lines of its processes that still run after `timeout` seconds."""
        _, alive = psutil.wait_procs(list(self._family.values()), timeout=timeout)
        return [" ".join(each.cmdline()) for each in alive]

    def close(self) -> None:
        """Kill every process that still runs."""
        if self._process is not None and self._process.poll() is None:
            self.remember()
            self._process.kill()
            self._process.wait()
        for each in self._family.values():
            if each.is_running():
                each.kill()


def s3_client(settings: Settings) -> Minio:
    """Return a client without retries."""
    return Minio(
        settings.s3_endpoint.removeprefix("http://"),
        settings.s3_access_key,
        settings.s3_secret_key,
        secure=False,
        http_client=urllib3.PoolManager(retries=False, timeout=10),
    )
