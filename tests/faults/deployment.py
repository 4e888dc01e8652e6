"""Gateways and workers as processes for one test, with a history that is checked at the end."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
from nats.aio.client import Client as NatsClient

from shared.nats_servers import parse_servers
from shared.settings import load_settings
from shared.storage import Storage
from tests.faults.checker import Report, check_history
from tests.faults.client import Client
from tests.faults.history import History
from tests.faults.services import gateway_server, worker_server
from tests.integration.jobs import HOUR, later
from tests.integration.system import System
from tests.servers import Server

Environments = dict[str, dict[str, str]]


class Deployment:
    """Starts gateways and workers on a given broker and store.

    Attributes:
        constants: values that replace constants of processes started from now on, by full name.
    """

    def __init__(self, folder: Path, nats_urls: dict[str, str], s3: Environments, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._nats_urls = nats_urls
        self._s3 = s3
        self._stack = stack
        self._count = 0
        self.constants: dict[str, Any] = {}
        self.history = History(folder / "history.jsonl")

    async def gateway(self, **environment: str) -> tuple[Client, Server]:
        """A gateway that is ready, and its process."""
        part, url = self._gateway(environment)
        await self._start(part, f"gateway on {url}", environment)
        http = await self._stack.enter_async_context(aiohttp.ClientSession())
        return Client(url, http, self.history), part

    def launch_gateway(self, **environment: str) -> Server:
        """Start a gateway without waiting until it is ready."""
        part, _ = self._gateway(environment)
        part.launch()
        self._stack.callback(part.kill)
        return part

    async def worker(self, **environment: str) -> Server:
        """A worker whose engine is ready."""
        part = self._worker(environment)
        await self._start(part, "worker", environment)
        return part

    def launch_worker(self, **environment: str) -> Server:
        """Start a worker without waiting until it is ready."""
        part = self._worker(environment)
        part.launch()
        self._stack.callback(part.kill)
        return part

    def environment(self, role: str) -> dict[str, str]:
        return {"NATS_URL": self._nats_urls[role], **self._s3[role]}

    async def nats(self) -> NatsClient:
        """An operator's connection to the broker."""
        client = NatsClient()
        await client.connect(**parse_servers(self._nats_urls["operator"]).connect_options(client))
        self._stack.push_async_callback(client.close)
        return client

    def storage(self) -> Storage:
        return Storage(load_settings(self.environment("operator")))

    async def report(self, timeout: float = 60.0) -> Report:
        """Check the history once the system is idle."""
        report = await check_history(await self.nats(), self.storage(), self.history, timeout)
        self.history.note("report", **vars(report))
        return report

    async def run_retention(self) -> None:
        """Run retention as of two hours from now: it removes files of no job."""
        retention = await System(self._nats_urls, self._s3, self._stack).retention()
        await retention.clean(later(2 * HOUR))

    async def check(self, timeout: float = 60.0) -> Report:
        """`report`, and assert that there are no problems."""
        report = await self.report(timeout)
        assert report.problems == [], "\n".join(report.problems)
        return report

    def _gateway(self, environment: dict[str, str]) -> tuple[Server, str]:
        return gateway_server(self._folder, self._number(), self.environment("gateway") | environment, self.constants)

    def _worker(self, environment: dict[str, str]) -> Server:
        return worker_server(self._folder, self._number(), self.environment("worker") | environment, self.constants)

    async def _start(self, part: Server, what: str, environment: dict[str, str]) -> None:
        self._stack.callback(part.kill)
        await part.start_again()
        self.history.note("started", part=what, pid=part.pid, environment=environment)

    def _number(self) -> int:
        self._count += 1
        return self._count
