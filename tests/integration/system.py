"""A gateway and workers in the test's own event loop, on real servers and with real engine processes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import nats
from msgspec.structs import replace
from nats.aio.client import Client

from deploy.stack.ports import LOOPBACK, free_ports
from gateway.app import create_app, open_services
from gateway.http.server import serving
from gateway.services import Services
from shared.bus import open_bus
from shared.lifecycle import end
from shared.nats_servers import parse_servers
from shared.record_feed import read_records
from shared.records import Records
from shared.settings import Settings, load_settings
from shared.storage import Storage
from shared.topology import ensure_streams
from worker.retention.retention import Retention
from worker.worker import Worker

TIMEOUT = 30.0


async def eventually(condition: Callable[[], Awaitable[Any]], what: str, timeout: float = TIMEOUT) -> Any:
    """Wait until `condition` returns something true, and return that."""
    async with asyncio.timeout(timeout):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
        return found
    raise AssertionError(what)


class System:
    """Where everything is. Gateways and workers are started by the test and end with it."""

    def __init__(self, nats_urls: dict[str, str], s3: dict[str, dict[str, str]], stack: AsyncExitStack) -> None:
        self.nats_urls = nats_urls
        self.s3 = s3
        self._stack = stack

    def settings(self, role: str, **changes: str) -> Settings:
        environment = {
            "NATS_URL": self.nats_urls[role],
            "MUSICGEN_ENGINE": "tests.engines:load",
            "MAX_CONCURRENT_JOBS": "2",
            "SHUTDOWN_GRACE": "5",
        }
        return load_settings(environment | self.s3[role] | changes)

    async def gateway(self, **changes: str) -> "Api":
        """A gateway that is ready."""
        api = await self._stack.enter_async_context(running_gateway(self.settings("gateway", **changes)))
        await api.until_ready()
        return api

    async def worker(self, **changes: str) -> "RunningWorker":
        """A worker whose engine has loaded, or said that it cannot."""
        running = await self._stack.enter_async_context(_worker(self.settings("worker", **changes)))
        await running.until_settled()
        return running

    async def retention(self, **changes: str) -> Retention:
        """A worker's retention, which does what the test has it do."""
        settings = self.settings("worker", **changes)
        bus = await self._stack.enter_async_context(open_bus())
        connecting = asyncio.create_task(bus.run(settings.nats_url, "retention"))
        self._stack.push_async_callback(end, (connecting,))

        async def ready() -> bool:
            return bus.is_ready

        await eventually(ready, "NATS is there")
        return Retention(settings, bus, Storage(settings))

    async def records(self) -> Records:
        """The bucket of records."""
        return Records(await ensure_streams((await self.nats()).jetstream()))

    async def recorded(self) -> list[str]:
        """The jobs that have a record."""
        await self.records()
        return [entry.record.job_id async for entry, _ in read_records(await self.nats())]

    async def nats(self, role: str = "operator") -> Client:
        """A client of the broker."""
        url = self.nats_urls[role]
        client = await nats.connect(url, inbox_prefix=parse_servers(url).inbox_prefix)
        self._stack.push_async_callback(client.close)
        return client

    def storage(self) -> Storage:
        return Storage(self.settings("operator"))


class Api:
    """A gateway over HTTP."""

    def __init__(self, url: str, services: Services, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.services = services
        self.http = http

    async def until_ready(self) -> None:
        async def ready() -> bool:
            async with self.http.get("/health/ready") as response:
                return response.status == 200

        await eventually(ready, "the gateway gets ready")

    async def generate(self, prompt: str = "tone", duration: float = 1.0, **fields: Any) -> str:
        """Accept a job and return its id."""
        headers = fields.pop("headers", {})
        body = {"prompt": prompt, "duration": duration, **fields}
        async with self.http.post("/api/v1/generate", json=body, headers=headers) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return str(answer["job_id"])

    async def status(self, job_id: str) -> dict[str, Any]:
        async with self.http.get(f"/api/v1/status/{job_id}") as response:
            assert response.status == 200
            body: dict[str, Any] = await response.json()
            return body

    async def until(self, job_id: str, *statuses: str, timeout: float = TIMEOUT) -> dict[str, Any]:
        """The status as soon as it is one of these."""

        async def reached() -> dict[str, Any] | None:
            status = await self.status(job_id)
            return status if status["status"] in statuses else None

        found: dict[str, Any] = await eventually(reached, f"{job_id} gets {statuses}", timeout)
        return found

    async def delete(self, job_id: str, *, keep: bool = False) -> int:
        """Cancel a job, or stop it and keep what was made; returns the status code."""
        async with self.http.delete(f"/api/v1/jobs/{job_id}", params={"keep": "1"} if keep else {}) as response:
            return response.status

    async def download(self, job_id: str) -> bytes:
        """The file."""
        async with self.http.get(f"/api/v1/download/{job_id}", params={"proxy": "1"}) as response:
            assert response.status == 200
            return await response.read()

    async def health(self) -> dict[str, Any]:
        async with self.http.get("/health") as response:
            body: dict[str, Any] = await response.json()
            return body


class RunningWorker:
    """A worker and what keeps it running."""

    def __init__(self, worker: Worker, settings: Settings) -> None:
        self.worker = worker
        self._settings = settings
        self._tasks: list[asyncio.Task[None]] = []

    def run(self, *work: Any) -> None:
        """Run the worker's parts; the last one pulls jobs."""
        self._tasks = [asyncio.create_task(each) for each in work]

    async def until_settled(self) -> None:
        async def settled() -> bool:
            return self.worker.describe().state.value in {"ready", "failed"}

        await eventually(settled, "the engine loads")

    async def stop(self, grace: float | None = None) -> None:
        """As SIGTERM does."""
        await self.worker.stop(self._settings.shutdown_grace if grace is None else grace)
        await self._end()

    async def vanish(self) -> None:
        """As a SIGKILL does, seen from outside: nothing is said, nothing is finished."""
        # Before the engine ends, because they would report its end.
        await end([self._tasks[-1], *self.worker._handling])
        await self._end()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            # Once, because the engine's end is waited for; again only where nats-py swallowed it.
            await asyncio.wait(self._tasks, timeout=5)
            await end(self._tasks)
        self._tasks = []


@asynccontextmanager
async def running_gateway(settings: Settings) -> AsyncIterator[Api]:
    """A gateway that ends with the block."""
    (port,) = free_ports(1)
    async with open_services(settings) as services:
        connecting = asyncio.create_task(services.bus.run(settings.nats_url, "gateway"))
        url = f"http://{LOOPBACK}:{port}"
        where = replace(settings, gateway_port=port, shutdown_grace=1.0)
        try:
            async with serving(create_app(services), where), aiohttp.ClientSession(url) as http:
                yield Api(url, services, http)
        finally:
            await end((connecting,))


@asynccontextmanager
async def _worker(settings: Settings) -> AsyncIterator[RunningWorker]:
    async with open_bus() as bus:
        worker = Worker(settings, bus, Storage(settings))
        running = RunningWorker(worker, settings)
        running.run(
            bus.run(settings.nats_url, worker.worker_id), worker.residency.run(), worker.announcer.run(), worker.pull()
        )
        try:
            yield running
        finally:
            await running.stop(grace=0.5)
