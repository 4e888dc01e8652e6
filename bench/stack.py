"""Runs `musicgen up` for a benchmark, and stops it afterwards."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.stack.ports import free_ports

START_TIMEOUT = 180.0
STOP_TIMEOUT = 60.0
# The measured stack starts its own servers, so these variables of the caller are removed.
FOREIGN = ("NATS_URL", "S3_ENDPOINT", "S3_PUBLIC_ENDPOINT")


@contextmanager
def running_stack(data_dir: Path, *arguments: str) -> Iterator[str]:
    """Run `musicgen up` in `data_dir` with these arguments; yields the gateway's URL.

    Raises:
        RuntimeError: with its output, if it does not become ready.
    """
    log = data_dir / "up.log"
    own = ["--data-dir", str(data_dir), "--port", str(free_port())]
    command = [sys.executable, "-m", "deploy.cli.main", "up", *own, *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield _url_when_ready(process, log)
    finally:
        end(process)


def free_port() -> int:
    """A free port, chosen as `musicgen up` does."""
    (port,) = free_ports(1)
    return port


def end(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, and SIGKILL after a timeout."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_TIMEOUT)


def _url_when_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("ready"):
                return line.split()[1]
        time.sleep(0.1)
    raise RuntimeError(f"`musicgen up` did not become ready:\n{log.read_text(errors='replace')}")
