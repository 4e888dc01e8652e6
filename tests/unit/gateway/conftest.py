"""A complete gateway without NATS and S3."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from nats.aio.client import Client

from deploy.stack.ports import LOOPBACK, free_ports
from gateway.access.api_keys import ApiKeys
from gateway.app import build_services, create_app
from gateway.http import server
from gateway.http.server import serving
from gateway.probe import Probe
from gateway.services import Services
from shared.bus import Bus
from shared.settings import load_settings
from tests.unit.gateway.raw import Connect, RawConnection, Serve
from tests.unit.gateway.samples import DAW, WEB

Api = TestClient[web.Request, web.Application]

# No server listens on port 1.
KEYS = {"S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret", "S3_ENDPOINT": "http://127.0.0.1:1"}


class BlindProbe(Probe):
    """Probes only when the test calls it."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    run_s3 = run


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    settings, bus = load_settings(KEYS), Bus(Client())
    async with ClientSession() as http:
        built = build_services(settings, bus, http)
        built.probe = BlindProbe(bus, built.storage, built.workers, built.index, built.record_store)
        yield built


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
