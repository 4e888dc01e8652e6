"""Three nats-servers in a cluster, every stream on all of them: one may die at any time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import nats.errors
import nats.js.errors
import pytest
from nats.aio.client import Client

from deploy.stack.ports import LOOPBACK
from shared import subjects
from shared.nats_servers import parse_servers
from tests.faults.checker import Report
from tests.faults.deployment import Deployment, Environments
from tests.integration.system import eventually
from tests.servers import Server, embedded_nats_cluster

# Seconds to wait for the next accepted job: NATS elects another leader of a stream within 4 to 9.
FAILOVER = 15.0
STREAMS = (subjects.JOBS_STREAM, subjects.EVENTS_STREAM, f"KV_{subjects.JOBS_BUCKET}")


async def _metrics(port: int) -> str:
    url = f"http://{LOOPBACK}:{port}/metrics"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return await response.text()


async def _check(deployment: Deployment) -> Report:
    """The report, read again if an election comes in between."""

    async def judged() -> Report | None:
        try:
            return await deployment.check()
        except (nats.errors.Error, nats.js.errors.APIError):
            return None

    report: Report = await eventually(judged, "the report can be read")
    return report


class Brokers:
    """The three servers, and the URL of each by role."""

    def __init__(self, servers: list[Server], urls: dict[str, list[str]]) -> None:
        self.servers = servers
        self.urls = urls

    def named(self, role: str, *numbers: int) -> str:
        """`NATS_URL` with these servers in it; by default with all."""
        return ", ".join(self.urls[role][number] for number in numbers or range(len(self.servers)))

    async def until_replicated(self) -> None:
        """Return when every server has what the others have, so that the next one may die."""
        client = Client()
        await client.connect(**parse_servers(self.named("operator")).connect_options(client))
        js = client.jetstream()

        async def replicated() -> bool:
            try:
                found = [await js.stream_info(stream) for stream in STREAMS]
            except (nats.errors.Error, nats.js.errors.APIError):
                return False
            followers = [each.cluster.replicas or [] for each in found if each.cluster]
            return all(len(each) == 2 and all(one.current for one in each) for each in followers)

        await eventually(replicated, "all replicas are current")
        await client.close()


@pytest.fixture
async def brokers(tmp_path: Path) -> AsyncIterator[Brokers]:
    """Ready when they have chosen a leader, which a server of a cluster cannot be before it sees another one."""
    servers, urls = embedded_nats_cluster(tmp_path / "nats")
    for server in servers:
        server.launch()
    try:
        yield Brokers(servers, urls)
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
async def deployment(
    brokers: Brokers, in_containers: bool, s3_environment: Environments, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """Gateways and workers name all three servers, unless the test has it otherwise."""
    if in_containers:
        pytest.skip("needs brokers that the test can kill")
    async with AsyncExitStack() as stack:
        yield Deployment(tmp_path, {role: ",".join(urls) for role, urls in brokers.urls.items()}, s3_environment, stack)


@pytest.mark.parametrize("fault", ["killed", pytest.param("frozen", marks=pytest.mark.thorough)])
async def test_gateway_and_worker_survive_the_only_server_in_their_nats_url(
    deployment: Deployment, brokers: Brokers, fault: str
) -> None:
    """They learn of the others from the cluster, and log in to those with the same password."""
    (client, gateway), worker = await asyncio.gather(
        deployment.gateway(NATS_URL=brokers.named("gateway", 0), NATS_REPLICAS="3"),
        deployment.worker(NATS_URL=brokers.named("worker", 0), NATS_REPLICAS="3"),
    )
    await brokers.until_replicated()
    jobs = [await client.submit("slow", 3.0) for _ in range(4)]
    await client.until(jobs[0], "processing")
    if fault == "killed":
        brokers.servers[0].kill()
    else:  # three pings go unanswered before the clients leave it
        brokers.servers[0].freeze()
        await asyncio.sleep(12)
    jobs.append(await eventually(lambda: client.post(key="after"), "a job is accepted", FAILOVER))
    assert await client.terminal_states(jobs) == ["completed"] * 5
    assert (gateway.exit_code, worker.exit_code) == (None, None)
    for part, variable in ((gateway, "GATEWAY_PORT"), (worker, "WORKER_METRICS_PORT")):
        assert "\nmusicgen_nats_reconnects_total 1.0\n" in await _metrics(int(part.environment[variable]))
    report = await _check(deployment)
    assert report.accepted == report.completed == 5


@pytest.mark.thorough
async def test_each_cluster_server_may_be_killed_under_load(deployment: Deployment, brokers: Brokers) -> None:
    """Whichever of them gateway and workers are connected to, leads the streams, or has the gateway's watch."""
    (client, _), *_ = await asyncio.gather(
        deployment.gateway(NATS_URL=brokers.named("gateway"), NATS_REPLICAS="3"),
        deployment.worker(NATS_URL=brokers.named("worker"), NATS_REPLICAS="3"),
        deployment.worker(NATS_URL=brokers.named("worker"), NATS_REPLICAS="3"),
    )
    for number, server in enumerate(brokers.servers):
        await brokers.until_replicated()
        takes: list[dict[str, Any]] = [{"prompt": ("tone", "slow")[n % 2], "key": f"{number}-{n}"} for n in range(10)]
        posting = [asyncio.create_task(client.post(**take)) for take in takes]
        await asyncio.sleep(0.2)
        server.kill()
        await asyncio.gather(*posting)
        last = await eventually(partial(client.post, key=f"{number}-after"), "a job is accepted", FAILOVER)
        jobs = [await client.submit(**take) for take in takes]
        assert await client.terminal_states([*jobs, last], 20) == ["completed"] * 11
        await server.start_again()
    report = await _check(deployment)
    assert report.accepted == report.completed == 33


@pytest.mark.thorough
async def test_services_start_with_one_cluster_server_down(deployment: Deployment, brokers: Brokers) -> None:
    await deployment.gateway(NATS_REPLICAS="3")
    await brokers.until_replicated()
    brokers.servers[1].kill()
    # Without NATS_REPLICAS: streams that exist keep the replicas that they have.
    (client, _), _ = await asyncio.gather(deployment.gateway(), deployment.worker())
    assert await client.terminal_states([await client.submit() for _ in range(3)]) == ["completed"] * 3
    await _check(deployment)


@pytest.mark.thorough
async def test_a_gateway_follows_records_after_the_leader_of_its_watch_died(
    deployment: Deployment, brokers: Brokers
) -> None:
    """Its own connection stands, so nothing but the silence of the watch tells."""
    for _ in range(10):
        client, gateway = await deployment.gateway(NATS_URL=brokers.named("gateway", 0), NATS_REPLICAS="3")
        await brokers.until_replicated()
        found = await (await deployment.nats()).jetstream().consumers_info(f"KV_{subjects.JOBS_BUCKET}")
        watch = max(found, key=lambda each: str(each.created))
        assert watch.cluster is not None
        host = watch.cluster.leader
        if host != "server-1":
            break
        gateway.terminate()
        await gateway.until_ended()
    await deployment.worker(NATS_URL=brokers.named("worker", 0), NATS_REPLICAS="3")
    job_id = await client.submit("slow", 1.0)
    next(server for number, server in enumerate(brokers.servers, 1) if host == f"server-{number}").kill()
    assert (await client.until(job_id, timeout=FAILOVER))["status"] == "completed"
    await _check(deployment)
