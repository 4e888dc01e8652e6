"""Two gateways behind the proxy of compose.production.yaml: what their clients see when one of them dies."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from httpx_sse import aconnect_sse
from musicgen_client import AsyncClient

from deploy.stack.child import ChildSpec
from deploy.stack.embedded_servers import find_program
from deploy.stack.ports import LOOPBACK, free_ports
from shared import subjects
from tests.conftest import ROOT
from tests.faults.client import Client
from tests.faults.deployment import Deployment
from tests.faults.history import TERMINAL
from tests.integration.system import eventually
from tests.servers import Server

Event = dict[str, Any]


class Proxy:
    """Caddy with the repository's Caddyfile, without TLS."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        gateway, s3, admin = free_ports(3)
        self.url = f"http://{LOOPBACK}:{gateway}"
        self.s3_url = f"http://{LOOPBACK}:{s3}"
        self._admin = f"{LOOPBACK}:{admin}"
        self._server: Server | None = None

    async def start(self, s3_endpoint: str, *gateways: Client) -> None:
        """Start it in front of these gateways and this store."""
        caddyfile = ROOT / "deploy" / "containers" / "Caddyfile"
        environment = {
            "HOME": str(self._folder),
            "CADDY_ADMIN": self._admin,
            "MUSICGEN_DOMAIN": self.url,
            "S3_DOMAIN": self.s3_url,
            "ACME_EMAIL": "admin@example.com",
            "GATEWAYS": " ".join(gateway.url.removeprefix("http://") for gateway in gateways),
            "S3_ADDRESS": s3_endpoint.removeprefix("http://"),
        }
        argv = [find_program("caddy"), "run", "--config", str(caddyfile), "--adapter", "caddyfile"]
        self._server = Server(ChildSpec("caddy", "proxy", argv, environment, [self.url], self._is_ready), self._folder)
        await self._server.start_again()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()

    def has_found_unready(self, gateway: Client) -> bool:
        """Whether a health check of this gateway has ever got another status than 200."""
        assert self._server is not None
        found = f'"status code out of tolerances","status_code":503,"host":"{gateway.url.removeprefix("http://")}"'
        return found in self._server.log

    async def _is_ready(self) -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{self.url}/health/ready") as got:
                return got.status == 200
        except aiohttp.ClientError:
            return False


class Follower:
    """Reads the events of a job to its end, over as many connections as that takes.

    Attributes:
        events: all that were received, in order.
        connections: how many were opened.
    """

    def __init__(self, url: str, job_id: str, way: "Callable[[Follower], AsyncIterator[Event]]") -> None:
        self.url = url
        self.job_id = job_id
        self.events: list[Event] = []
        self.connections = 0
        self._way = way
        self.task = asyncio.create_task(self._follow())

    @property
    def last_seq(self) -> int | None:
        return self.events[-1]["seq"] if self.events else None

    async def _follow(self) -> None:
        while not (self.events and self.events[-1]["status"] in TERMINAL):
            self.connections += 1
            with suppress(aiohttp.ClientError, httpx.HTTPError):
                async for event in self._way(self):
                    # After a reconnection the gateway repeats the present state.
                    if event["seq"] != self.last_seq:
                        self.events.append(event)
            await asyncio.sleep(0.1)

    async def until_later_than(self, progress: float) -> None:
        async def told() -> bool:
            return bool(self.events) and self.events[-1]["progress"] > progress

        await eventually(told, "the client hears of later progress", 60)


async def by_websocket(follower: Follower) -> AsyncIterator[Event]:
    """As any program does: with `after_seq`."""
    request: dict[str, Any] = {"type": "subscribe", "job_id": follower.job_id}
    if follower.last_seq is not None:
        request |= {"after_seq": follower.last_seq}
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{follower.url}/ws") as socket:
        await socket.send_json(request)
        async for message in socket:
            yield json.loads(message.data)
            if json.loads(message.data)["status"] in TERMINAL:
                return


async def by_event_stream(follower: Follower) -> AsyncIterator[Event]:
    """As an EventSource of a browser does: with `Last-Event-ID`."""
    headers = {} if follower.last_seq is None else {"Last-Event-ID": str(follower.last_seq)}
    url = f"{follower.url}/api/v1/jobs/{follower.job_id}/events"
    async with httpx.AsyncClient(timeout=60) as http, aconnect_sse(http, "GET", url, headers=headers) as source:
        async for event in source.aiter_sse():
            yield event.json()


async def by_python_client(follower: Follower) -> AsyncIterator[Event]:
    """It connects again by itself."""

    def count(error: Exception) -> None:
        follower.connections += 1

    async with AsyncClient(follower.url) as client:
        async for event in client.job(follower.job_id).events(on_reconnect=count):
            yield {"type": event.type, "seq": event.seq, "status": event.status, "progress": event.progress}


WAYS = (by_websocket, by_websocket, by_event_stream, by_event_stream, by_python_client, by_python_client)


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    made = Proxy(tmp_path)
    yield made
    made.stop()


async def test_clients_of_a_killed_gateway_are_moved_to_the_other_and_miss_nothing(
    deployment: Deployment, proxy: Proxy
) -> None:
    gateways = await asyncio.gather(deployment.gateway(), deployment.gateway())
    (one, _), (other, _) = gateways
    await proxy.start(deployment.environment("gateway")["S3_ENDPOINT"], one, other)
    await deployment.worker()
    job_id = await one.submit("slow", 100.0)
    followers = [Follower(proxy.url, job_id, way) for way in WAYS]
    await asyncio.gather(*(follower.until_later_than(0) for follower in followers))
    # Whichever gateway a client has, one of the two kills takes it away.
    for (_, process), (left, _) in zip(gateways, reversed(gateways), strict=True):
        process.kill()
        status = await left.status(job_id)
        assert status is not None
        await asyncio.gather(*(follower.until_later_than(status["progress"]) for follower in followers))
        await process.start_again()
    assert await eventually(lambda: other.delete(job_id, keep=True), "the job is stopped") == 200
    await asyncio.gather(*(follower.task for follower in followers))
    assert min(follower.connections for follower in followers) > 1
    await _check_events(deployment, job_id, followers)


async def _check_events(deployment: Deployment, job_id: str, followers: list[Follower]) -> None:
    """Each was told every lifecycle event that NATS has stored since its first one, in order, and nothing twice."""
    js = (await deployment.nats()).jetstream()
    for kind in ("queued", "processing", "cancelled"):
        message = await js.get_last_msg(subjects.EVENTS_STREAM, subjects.event_subject(job_id, kind))
        stored = json.loads(message.data or b"")["seq"]
        for follower in followers:
            numbers = [event["seq"] for event in follower.events]
            assert numbers == sorted(set(numbers))
            assert stored < numbers[0] or (kind, stored) in {(event["type"], event["seq"]) for event in follower.events}


async def test_downloads_pass_the_proxy_while_nats_is_away_too(
    deployment: Deployment, proxy: Proxy, broker: Server
) -> None:
    gateways = await asyncio.gather(*(deployment.gateway(S3_PUBLIC_ENDPOINT=proxy.s3_url) for _ in range(2)))
    await proxy.start(deployment.environment("gateway")["S3_ENDPOINT"], *(client for client, _ in gateways))
    await deployment.worker()
    async with AsyncClient(proxy.url) as client, aiohttp.ClientSession(proxy.url) as http:
        job = await client.generate("tone", duration=0.5)
        await job.result()
        path = f"/api/v1/download/{job.id}"
        async with http.get(path, headers={"Authorization": "Bearer nothing-for-s3"}) as got:
            audio = await got.read()
            assert (got.status, str(got.url).startswith(proxy.s3_url), audio[:4]) == (200, True, b"RIFF")
        async with http.get(f"{proxy.s3_url}/music-audio/jobs/{job.id}/audio.wav") as got:
            assert got.status == 404  # without a signature
        async with http.get("/metrics") as got:
            assert got.status == 404

        broker.kill()

        async def none_is_ready() -> bool:
            return all(proxy.has_found_unready(gateway) for gateway, _ in gateways)

        await eventually(none_is_ready, "the proxy sees that no gateway is ready", 60)
        async with http.get(path) as got:
            assert (got.status, await got.read()) == (200, audio)
        async with http.post("/api/v1/generate", json={"prompt": "tone"}) as got:
            assert (got.status, "NATS is away" in (await got.json(content_type=None))["detail"]) == (503, True)
