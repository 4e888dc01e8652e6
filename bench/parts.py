"""Runs NATS, S3, gateways and workers for a benchmark, each as a process of its own; `stack.py` runs them together."""

import asyncio
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import nats
import psutil
from nats.js.api import StreamConfig

from bench.stack import FOREIGN, end, free_port
from deploy.stack.credentials import load_credentials
from deploy.stack.embedded_servers import nats_server
from deploy.stack.ports import LOOPBACK, free_ports
from shared.subjects import JOBS_STREAM
from shared.topology import ensure_streams
from tests.servers import Server, embedded_s3

START_TIMEOUT = 180.0
POLL_INTERVAL = 0.01


class Part(NamedTuple):
    """A running gateway or worker.

    Attributes:
        url: of its HTTP server.
        started: seconds from its spawning until it was ready.
    """

    process: subprocess.Popen[bytes]
    url: str
    started: float

    @property
    def resident(self) -> int:
        """Bytes of resident memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


class Servers(NamedTuple):
    """A running nats-server and S3 store: their settings by role."""

    folder: Path
    nats_urls: dict[str, str]
    s3: dict[str, dict[str, str]]

    @contextmanager
    def gateway(self, **environment: str) -> Iterator[Part]:
        """Run a gateway until the block ends.

        Raises:
            RuntimeError: if it does not become ready.
        """
        port = free_port()
        own = {"GATEWAY_HOST": LOOPBACK, "GATEWAY_PORT": str(port)}
        with self._running("gateway", port, "/health/ready", own | environment) as part:
            yield part

    @contextmanager
    def worker(self, **environment: str) -> Iterator[Part]:
        """Run a worker until the block ends.

        Raises:
            RuntimeError: if it does not become ready.
        """
        port = free_port()
        own = {"WORKER_METRICS_HOST": LOOPBACK, "WORKER_METRICS_PORT": str(port)}
        with self._running("worker", port, "/metrics", own | environment) as part:
            yield part

    @contextmanager
    def _running(self, role: str, port: int, path: str, environment: dict[str, str]) -> Iterator[Part]:
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        everything = inherited | {"NATS_URL": self.nats_urls[role]} | self.s3[role] | environment
        log = self.folder / f"{role}-{port}.log"
        started = time.perf_counter()
        with log.open("wb") as output:
            command = [sys.executable, "-m", "deploy.cli.main", role]
            process = subprocess.Popen(command, env=everything, stdout=output, stderr=subprocess.STDOUT)
        try:
            while not is_answered(port, path):
                if process.poll() is not None or time.perf_counter() - started > START_TIMEOUT:
                    raise RuntimeError(f"The {role} did not become ready:\n{log.read_text(errors='replace')}")
                time.sleep(POLL_INTERVAL)
            yield Part(process, f"http://{LOOPBACK}:{port}", time.perf_counter() - started)
        finally:
            end(process)


@contextmanager
def running_servers(folder: Path, sync_interval: str = "5s", queue: int = 100_000) -> Iterator[Servers]:
    """Run NATS with this `sync_interval` and a queue of this many jobs, and S3, until the block ends."""
    broker, urls = _nats(folder / "nats", sync_interval)
    store, s3 = embedded_s3(folder / "s3")
    try:
        broker.start()
        store.start()
        asyncio.run(_enlarge_queue(urls["operator"], queue))
        yield Servers(folder, urls, s3)
    finally:
        store.stop()
        broker.stop()


def is_answered(port: int, path: str) -> bool:
    """Whether a GET on this machine is answered with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status == 200
    return False


def _nats(folder: Path, sync_interval: str) -> tuple[Server, dict[str, str]]:
    """The server of `tests.servers.embedded_nats` with a changed copy of nats.conf."""
    folder.mkdir(parents=True)
    credentials, (port,) = load_credentials(folder), free_ports(1)
    spec = nats_server(folder, port, credentials)
    at = spec.argv.index("-c") + 1
    text = Path(spec.argv[at]).read_text()
    changed = text.replace("sync_interval: 5s", f"sync_interval: {sync_interval}")
    if changed.count(f"sync_interval: {sync_interval}") != 1:
        raise RuntimeError("nats.conf does not set `sync_interval: 5s`.")
    configuration = folder / "nats.conf"
    configuration.write_text(changed)
    argv = [*spec.argv[:at], str(configuration), *spec.argv[at + 1 :]]
    urls = {role: f"nats://{role}:{secret}@{LOOPBACK}:{port}" for role, secret in credentials.nats_passwords.items()}
    return Server(replace(spec, argv=argv), folder), urls


async def _enlarge_queue(url: str, jobs: int) -> None:
    client = await nats.connect(url)
    try:
        js = client.jetstream()
        await ensure_streams(js)
        config: StreamConfig = (await js.stream_info(JOBS_STREAM)).config
        await js.update_stream(config.evolve(max_msgs=jobs))
    finally:
        await client.close()
