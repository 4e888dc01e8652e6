"""A region with workers alone: its nats-server is a leaf node of the hub, and the link between them may be cut."""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.stack.credentials import load_credentials
from deploy.stack.embedded_servers import nats_server
from deploy.stack.ports import LOOPBACK, free_ports
from tests.conftest import ROOT
from tests.documents import blocks
from tests.faults.client import Client
from tests.faults.deployment import Deployment, Environments
from tests.faults.tcp_proxy import TcpProxy
from tests.integration.system import eventually
from tests.servers import Server

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


class Regions:
    """The hub, where gateways are, the leaf node of another region, and the link between them.

    Attributes:
        deployment: gateways and workers at the hub.
        remote: for a worker that connects to the leaf node.
    """

    def __init__(self, hub: Server, leaf: Server, link: TcpProxy, deployment: Deployment, leaf_url: str) -> None:
        self.hub = hub
        self.leaf = leaf
        self.link = link
        self.deployment = deployment
        self.remote = {"NATS_URL": leaf_url}

    async def until_joined(self, times: int) -> None:
        """Wait until the leaf node has connected this often."""

        async def joined() -> bool:
            return self.leaf.log.count("Leafnode connection created") >= times

        await eventually(joined, "the leaf node joins the hub")

    async def until_no_worker_is_seen(self, client: Client) -> None:
        async def unseen() -> bool:
            async with client.http.get(f"{client.url}/health") as got:
                return not (await got.json())["workers"]

        await eventually(unseen, "the gateway misses the worker")


@pytest.fixture
async def regions(
    in_containers: bool, s3_environment: Environments, certificate: Path, tmp_path: Path
) -> AsyncIterator[Regions]:
    """With the line of docs/scale.md in the hub's configuration, and the repository's one for the leaf node."""
    if in_containers:
        pytest.skip("needs nats-servers that the test can configure")
    credentials, (hub_port, leaf_port, join_port) = load_credentials(tmp_path), free_ports(3)
    conf = tmp_path / "hub.conf"
    conf.write_text(_hub_configuration(certificate, join_port))
    shutil.copy(ROOT / "deploy" / "nats" / "leaf_permissions.conf", tmp_path)
    link = await TcpProxy(join_port).open()

    spec = nats_server(tmp_path, hub_port, credentials)
    hub = Server(replace(spec, argv=[spec.argv[0], "-c", str(conf), *spec.argv[3:]]), tmp_path)
    at_leaf = nats_server(tmp_path, leaf_port, credentials)
    environment = {
        "NATS_HUB_URL": f'"tls://leaf:PASSWORD@{LOOPBACK}:{link.port}"',
        "NATS_WORKER_PASSWORD": "secret",
        "SSL_CERT_FILE": str(certificate),
    }
    leaf_conf = str(ROOT / "deploy" / "nats" / "leaf.conf")
    argv = [at_leaf.argv[0], "-c", leaf_conf, *at_leaf.argv[3:]]
    leaf = Server(replace(at_leaf, name="leaf", argv=argv, env=at_leaf.env | environment), tmp_path)
    urls = {role: f"nats://{role}:{word}@{LOOPBACK}:{hub_port}" for role, word in credentials.nats_passwords.items()}
    try:
        for server in (hub, leaf):
            await server.start_again()
        async with AsyncExitStack() as stack:
            deployment = Deployment(tmp_path, urls, s3_environment, stack)
            made = Regions(hub, leaf, link, deployment, f"nats://worker:secret@{LOOPBACK}:{leaf_port}")
            await made.until_joined(1)
            yield made
    finally:
        leaf.stop()
        hub.stop()
        await link.cut()


def _hub_configuration(certificate: Path, port: int) -> str:
    """nats.conf with the lines of docs/scale.md, each in its block. The hub advertises a port where nothing listens."""
    (added,) = (block.text for block in blocks(ROOT / "docs" / "scale.md") if block.language == "conf")
    domain, listener, _, include, user, _ = (line.strip() for line in added.splitlines())
    domain = domain.removeprefix("jetstream { ").partition(" }")[0]
    listener = listener.replace("/etc/nats", str(certificate.parent)).replace(
        "port: 7422", f'listen: "{LOOPBACK}:{port}", advertise: "{LOOPBACK}:1"'
    )
    user = user.removeprefix("users = [").removesuffix("]")
    text = (ROOT / "nats.conf").read_text()
    text = text.replace("jetstream {\n", f"jetstream {{\n  {domain}\n", 1)
    text = text.replace("  users = [\n", f"  {include}\n  users = [\n    {user}\n", 1)
    return f"{text}\n{listener}\n"


def test_a_leaf_node_may_do_what_a_worker_may_do() -> None:
    workers = re.search(r"worker_permissions = ({.*?\n  })", (ROOT / "nats.conf").read_text(), re.DOTALL)
    leaves = re.search(
        r"leaf_permissions = ({.*\n})", (ROOT / "deploy/nats/leaf_permissions.conf").read_text(), re.DOTALL
    )
    assert workers is not None
    assert leaves is not None
    expected = workers[1].replace('"$JS.API.', '"$JS.hub.API.').replace('"$KV.', '"$JS.hub.API.$KV.')
    assert leaves[1].split() == expected.replace("music.events.*.*", "music.events.>").split()


@pytest.mark.thorough
async def test_a_worker_in_another_region_makes_jobs_through_a_cut_of_the_link(regions: Regions) -> None:
    client, _ = await regions.deployment.gateway()
    worker = await regions.deployment.worker(**regions.remote)
    jobs = [await client.submit(), await client.submit("slow", 6.0), await client.submit("slow", 60.0)]
    assert (await client.until(jobs[0]))["status"] == "completed"
    await client.until(jobs[2], "processing")
    assert await client.delete(jobs[2]) == 200

    await regions.link.cut()
    jobs.append(await client.submit())  # accepted meanwhile
    await regions.until_no_worker_is_seen(client)
    await regions.link.open()
    await regions.until_joined(2)
    assert await client.terminal_states(jobs) == ["completed", "completed", "cancelled", "completed"]
    assert worker.exit_code is None
    status = await client.status(jobs[1])
    assert status is not None
    assert status["attempts"] == 1  # it went on where it was
    assert (await regions.deployment.check()).completed == 3


@pytest.mark.thorough
async def test_a_job_in_a_region_that_is_cut_off_is_taken_over_once(regions: Regions) -> None:
    client, _ = await regions.deployment.gateway()
    worker = await regions.deployment.worker(**regions.remote)
    job_id = await client.submit("slow", 8.0)
    await client.until(job_id, "processing")
    await regions.link.cut()
    await regions.deployment.worker()
    assert (await client.until(job_id))["status"] == "completed"
    status = await client.status(job_id)
    assert status is not None
    assert status["attempts"] == 2
    await regions.link.open()
    await regions.until_joined(2)
    # The region works again.
    jobs = [await client.submit("slow", 1.0) for _ in range(4)]
    assert await client.terminal_states(jobs) == ["completed"] * 4
    assert worker.exit_code is None
    assert (await regions.deployment.check()).completed == 5
