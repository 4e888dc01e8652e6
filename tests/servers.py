"""Real servers for tests: the embedded binaries, or containers with `--stack=containers`."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deploy.stack.child import ChildSpec
from deploy.stack.credentials import Credentials, load_credentials
from deploy.stack.embedded_servers import nats_server, s3_server
from deploy.stack.ports import LOOPBACK, free_ports
from shared.settings import load_settings


class Server:
    """A server process that a test can kill, freeze and restart."""

    def __init__(self, spec: ChildSpec, log_dir: Path) -> None:
        self._spec = spec
        self._log_file = log_dir / f"{spec.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it without waiting until it is ready."""
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._spec.argv, env=self._spec.env, cwd=self._spec.cwd, stdout=log, stderr=log
            )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        assert self._process is not None
        deadline = time.monotonic() + 120
        while not asyncio.run(self._is_ready()):
            assert self._process.poll() is None, self._log_file.read_text()
            assert time.monotonic() < deadline, self._log_file.read_text()
            time.sleep(0.02)

    async def start_again(self) -> None:
        """Call `start` from a running event loop."""
        await asyncio.to_thread(self.start)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def terminate(self) -> None:
        """Send SIGTERM; `until_ended` waits for the exit."""
        self._signal(signal.SIGTERM)

    def freeze(self) -> None:
        """Send SIGSTOP and wait until it is stopped."""
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(self._spec.grace)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs, negative for a signal."""
        assert self._process is not None
        return self._process.poll()

    @property
    def environment(self) -> dict[str, str]:
        """The environment that it was started with."""
        return self._spec.env

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def until_ended(self, timeout: float = 30.0) -> int:
        """Wait for its exit and return the exit code."""
        async with asyncio.timeout(timeout):
            while (code := self.exit_code) is None:
                await asyncio.sleep(0.02)
            return code

    @property
    def log(self) -> str:
        return self._log_file.read_text(errors="replace")

    async def _is_ready(self) -> bool:
        return await self._spec.is_ready()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def embedded_nats(folder: Path) -> tuple[Server, dict[str, str]]:
    """Return a nats-server that is not started yet, and its URL by role."""
    folder.mkdir(parents=True, exist_ok=True)
    credentials, (port,) = load_credentials(folder), free_ports(1)
    urls = {
        role: f"nats://{role}:{password}@{LOOPBACK}:{port}" for role, password in credentials.nats_passwords.items()
    }
    return Server(nats_server(folder, port, credentials), folder), urls


def embedded_nats_cluster(
    folder: Path, listening: Sequence[int], reaching: Sequence[Sequence[int]]
) -> tuple[list[Server], dict[str, list[str]]]:
    """Return the servers of a cluster that are not started yet, and their URLs by role.

    Args:
        listening: the port for routes of each server.
        reaching: for each server, the ports by which it reaches the others. It learns of no other way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    credentials, ports = load_credentials(folder), free_ports(len(listening))
    servers = []
    for number, (port, route, others) in enumerate(zip(ports, listening, reaching, strict=True), 1):
        own = folder / f"server-{number}"
        own.mkdir(exist_ok=True)
        spec = nats_server(own, port, credentials)
        options = ["-n", own.name, "--cluster_name", "music", "--cluster", f"nats://{LOOPBACK}:{route}"]
        # Servers tell each other where they can be reached. On this port nothing listens.
        options += ["--cluster_advertise", f"{LOOPBACK}:1"]
        options += ["--routes", ",".join(f"nats://{LOOPBACK}:{other}" for other in others)]
        servers.append(Server(replace(spec, argv=[*spec.argv, *options]), own))
    urls = {
        role: [f"nats://{role}:{password}@{LOOPBACK}:{port}" for port in ports]
        for role, password in credentials.nats_passwords.items()
    }
    return servers, urls


def embedded_s3(folder: Path) -> tuple[Server, dict[str, dict[str, str]]]:
    """Return a SeaweedFS that is not started yet, and its connection settings by role."""
    folder.mkdir(parents=True, exist_ok=True)
    credentials, (port,) = load_credentials(folder), free_ports(1)
    settings = {role: _s3_settings(credentials, port, role) for role in credentials.s3_keys}
    return Server(s3_server(folder, port, credentials, load_settings(settings["operator"])), folder), settings


def _s3_settings(credentials: Credentials, port: int, role: str) -> dict[str, str]:
    keys = credentials.s3_keys[role]
    return {
        "S3_ENDPOINT": f"http://{LOOPBACK}:{port}",
        "S3_ACCESS_KEY": keys.access_key,
        "S3_SECRET_KEY": keys.secret_key,
    }
