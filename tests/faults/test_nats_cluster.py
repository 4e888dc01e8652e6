"""Three nats-servers in a cluster, every stream on all of them: one may die, freeze or be cut off at any time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import aiohttp
import nats.errors
import nats.js.errors
import pytest
from nats.aio.client import Client
from nats.js.client import JetStreamContext

from deploy.stack.ports import LOOPBACK, free_ports
from shared import subjects
from shared.nats_servers import parse_servers
from tests.faults.checker import Report
from tests.faults.client import Client as GatewayClient
from tests.faults.deployment import Deployment, Environments
from tests.faults.tcp_proxy import TcpProxy
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


class Network:
    """What connects the servers of a cluster: a proxy for each of them and each other one that it reaches."""

    def __init__(self, count: int) -> None:
        self.listening = free_ports(count)
        self._proxies = {(one, other): TcpProxy(self.listening[other]) for one, other in permutations(range(count), 2)}

    async def open(self) -> "Network":
        for proxy in self._proxies.values():
            await proxy.open()
        return self

    def reaching(self, number: int) -> list[int]:
        """The ports by which a server reaches the others."""
        return [proxy.port for (one, _), proxy in self._proxies.items() if one == number]

    async def cut_off(self, number: int) -> None:
        """Nothing passes between this server and the others. Its clients still reach it."""
        for proxy in self._around(number):
            await proxy.cut()

    async def rejoin(self, number: int) -> None:
        for proxy in self._around(number):
            await proxy.open()

    async def close(self) -> None:
        for proxy in self._proxies.values():
            await proxy.cut()

    def _around(self, number: int) -> list[TcpProxy]:
        return [proxy for pair, proxy in self._proxies.items() if number in pair]


class Brokers:
    """The three servers, and the URL of each by role."""

    def __init__(self, servers: list[Server], urls: dict[str, list[str]], network: Network) -> None:
        self.servers = servers
        self.urls = urls
        self.network = network

    async def break_down(self, number: int, fault: str) -> None:
        """Kill or freeze a server, or cut it off from the others."""
        match fault:
            case "killed":
                self.servers[number].kill()
            case "frozen":
                self.servers[number].freeze()
            case _:
                await self.network.cut_off(number)

    async def mend(self, number: int, fault: str) -> None:
        """Undo `break_down`."""
        match fault:
            case "killed":
                await self.servers[number].start_again()
            case "frozen":
                self.servers[number].thaw()
            case _:
                await self.network.rejoin(number)

    async def leader(self, stream: str) -> int:
        """The number of the server that leads a stream."""
        async with self._operator() as js:
            cluster = (await js.stream_info(stream)).cluster
        assert cluster is not None
        assert cluster.leader is not None
        return int(cluster.leader.removeprefix("server-")) - 1

    def named(self, role: str, *numbers: int) -> str:
        """`NATS_URL` with these servers in it; by default with all."""
        return ", ".join(self.urls[role][number] for number in numbers or range(len(self.servers)))

    async def until_replicated(self) -> None:
        """Return when every server has what the others have, so that the next one may die."""
        async with self._operator() as js:

            async def replicated() -> bool:
                try:
                    found = [await js.stream_info(stream) for stream in STREAMS]
                except (nats.errors.Error, nats.js.errors.APIError):
                    return False
                followers = [each.cluster.replicas or [] for each in found if each.cluster]
                return all(len(each) == 2 and all(one.current for one in each) for each in followers)

            await eventually(replicated, "all replicas are current")

    @asynccontextmanager
    async def _operator(self) -> AsyncIterator[JetStreamContext]:
        client = Client()
        await client.connect(**parse_servers(self.named("operator")).connect_options(client))
        try:
            yield client.jetstream()
        finally:
            await client.close()


@pytest.fixture
async def brokers(tmp_path: Path) -> AsyncIterator[Brokers]:
    """Ready when they have chosen a leader, which a server of a cluster cannot be before it sees another one."""
    network = await Network(3).open()
    reaching = [network.reaching(number) for number in range(3)]
    servers, urls = embedded_nats_cluster(tmp_path / "nats", network.listening, reaching)
    for server in servers:
        server.launch()
    try:
        yield Brokers(servers, urls, network)
    finally:
        for server in servers:
            server.thaw()
            server.stop()
        await network.close()


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
@pytest.mark.parametrize("fault", ["killed", "frozen", "cut_off"])
async def test_the_leader_of_each_stream_may_fail_while_jobs_are_accepted(
    deployment: Deployment, brokers: Brokers, fault: str
) -> None:
    """Whichever server gateways and workers are connected to. The fault lasts until the other two accept a job."""
    await asyncio.gather(*(deployment.worker(NATS_REPLICAS="3") for _ in range(2)))
    (one, _), (other, _) = await asyncio.gather(*(deployment.gateway(NATS_REPLICAS="3") for _ in range(2)))
    for stream in STREAMS:
        await brokers.until_replicated()
        leader = await brokers.leader(stream)
        takes: list[dict[str, Any]] = [{"prompt": ("tone", "slow")[n % 2], "key": f"{stream}-{n}"} for n in range(10)]
        posting = [asyncio.create_task((one, other)[n // 5].post(**take)) for n, take in enumerate(takes)]
        await asyncio.wait(posting, return_when=asyncio.FIRST_COMPLETED)
        await brokers.break_down(leader, fault)
        last = await eventually(partial(_accepted_by_any, stream, one, other), "a job is accepted", 2 * FAILOVER)
        await asyncio.gather(*posting)
        await brokers.mend(leader, fault)
        jobs = [await one.submit(**take) for take in takes]
        assert await other.terminal_states([*jobs, last]) == ["completed"] * 11
    report = await _check(deployment)
    assert report.accepted == report.completed == 33


async def _accepted_by_any(key: str, *gateways: GatewayClient) -> str | None:
    """A job, from the first gateway that accepts it."""
    for gateway in gateways:
        if job_id := await gateway.post(key=key):
            return job_id
    return None


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
