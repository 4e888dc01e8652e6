"""A complete gateway without NATS and S3."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from nats.aio.client import Client

from deploy.stack.ports import LOOPBACK, free_ports
from gateway.access.api_keys import ApiKeys, load_keys
from gateway.access.quotas import Limits, Quotas
from gateway.access.rate_limiter import RateLimiter
from gateway.access.reservations import Reservations
from gateway.app import create_app
from gateway.http import server
from gateway.http.server import serving
from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.dead_letters import DeadLetters
from gateway.jobs.job_queue import JobQueue
from gateway.jobs.reconciler import Reconciler
from gateway.jobs.record_repair import RecordRepair
from gateway.jobs.result_cache import ResultCache
from gateway.jobs.stored_files import StoredFiles
from gateway.jobs.submission import Jobs
from gateway.jobs.trimmer import RecordTrimmer
from gateway.jobs.usage import UsageTracker
from gateway.jobs.views import Views
from gateway.live.event_hub import EventHub
from gateway.probe import Probe
from gateway.services import Services
from shared.bus import Bus
from shared.settings import load_settings
from shared.storage import Storage
from tests.unit.gateway.raw import Connect, RawConnection, Serve
from tests.unit.gateway.samples import DAW, WEB

Api = TestClient[web.Request, web.Application]

# Nobody listens on port 1.
KEYS = {"S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret", "S3_ENDPOINT": "http://127.0.0.1:1"}


class BlindProbe(Probe):
    """Probes only when the test calls it."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    run_s3 = run


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    settings = load_settings(KEYS)
    bus, storage, index, workers = Bus(Client()), Storage(settings), JobIndex(Estimator()), WorkerRegistry()
    record_store = RecordStore(bus, index)
    limits = Limits(settings.key_queued_jobs, settings.key_daily_seconds, settings.key_records)
    async with ClientSession() as http:
        usage, queue, stored_files = UsageTracker(record_store), JobQueue(bus, index), StoredFiles(storage, http)
        result_cache = ResultCache(bus, index, record_store, queue, workers, usage, stored_files)
        jobs, reconciler = (
            Jobs(bus, index, record_store, queue, result_cache),
            Reconciler(bus, index, record_store, result_cache, workers),
        )
        yield Services(
            settings=settings,
            keys=load_keys(settings),
            rate_limiter=RateLimiter(settings.key_rate, settings.key_burst),
            quotas=Quotas(index, record_store, Reservations(bus), limits),
            bus=bus,
            storage=storage,
            stored_files=stored_files,
            http=http,
            index=index,
            workers=workers,
            views=Views(index, workers),
            record_store=record_store,
            usage=usage,
            result_cache=result_cache,
            jobs=jobs,
            hub=EventHub(bus, jobs),
            probe=BlindProbe(bus, storage, workers, index, record_store),
            reconciler=reconciler,
            dead_letters=DeadLetters(bus, record_store, reconciler),
            record_repair=RecordRepair(bus, index, record_store),
            record_trimmer=RecordTrimmer(index, record_store, settings.key_records),
            started=time.monotonic(),
        )


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Api]:
    async with TestClient(TestServer(create_app(services))) as client:
        yield client


@pytest.fixture
def keyed(services: Services, api: Api) -> Api:
    """The same gateway with the API keys DAW and WEB."""
    services.keys = ApiKeys([("daw", DAW), ("web", WEB)])
    return api


@pytest.fixture
async def serve(services: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
    """Starts the gateway with the given settings; returns its port."""
    monkeypatch.setattr(server, "LINGER_TIMEOUT", 0.2)
    async with AsyncExitStack() as stack:

        async def start(**environment: str) -> int:
            (port,) = free_ports(1)
            settings = load_settings(KEYS | {"GATEWAY_PORT": str(port), "SHUTDOWN_GRACE": "1"} | environment)
            services.settings = settings
            await stack.enter_async_context(serving(create_app(services), settings))
            return port

        yield start


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        async def open_one(port: int, address: str = LOOPBACK) -> RawConnection:
            client = RawConnection(*await asyncio.open_connection(LOOPBACK, port, local_addr=(address, 0)))
            stack.push_async_callback(client.close)
            return client

        yield open_one
