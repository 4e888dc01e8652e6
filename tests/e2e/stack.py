"""`musicgen up` as a process, driven from outside."""

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

PATIENCE = 90.0


def musicgen(
    *arguments: str, environment: dict[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a subcommand to its end."""
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
    """One run of `musicgen up`, and all processes that ever belonged to it."""

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
        """Start, and wait for a line that begins with `until`."""
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
        """Wait for a line of output that begins so, leading blanks aside."""
        deadline = time.monotonic() + PATIENCE
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
        """Every descendant that runs now."""
        assert self._process is not None
        found = psutil.Process(self._process.pid).children(recursive=True)
        self._family |= {each.pid: each for each in found}
        return found

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def environment(self) -> dict[str, str]:
        """What `musicgen env` exports, as a shell understands it."""
        shown = musicgen("env", "--data-dir", str(self.data_dir))
        assert shown.returncode == 0, shown.stderr
        script = f"set -a; {shown.stdout}\nenv -0"
        output = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
        return dict(line.split("=", 1) for line in output.split("\0") if "=" in line)

    def wait(self) -> int:
        """The exit code, at the end."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def stop(self) -> int:
        """As Ctrl-C does."""
        self.remember()
        self.signal(signal.SIGINT)
        return self.wait()

    def survivors(self, patience: float = 15.0) -> list[str]:
        """What still runs of all that ever belonged to it, after some time to end."""
        _, alive = psutil.wait_procs(list(self._family.values()), timeout=patience)
        return [" ".join(each.cmdline()) for each in alive]

    def close(self) -> None:
        """End everything, whatever the test left."""
        if self._process is not None and self._process.poll() is None:
            self.remember()
            self._process.kill()
            self._process.wait()
        for each in self._family.values():
            if each.is_running():
                each.kill()


def s3_client(settings: Settings) -> Minio:
    """A client that gives up at the first error."""
    return Minio(
        settings.s3_endpoint.removeprefix("http://"),
        settings.s3_access_key,
        settings.s3_secret_key,
        secure=False,
        http_client=urllib3.PoolManager(retries=False, timeout=10),
    )
