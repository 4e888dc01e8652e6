"""Credentials are replaced as docs/operations.md says, while jobs are running and waiting."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook, WebhookVerificationError

from deploy.stack.credentials import load_credentials
from deploy.stack.embedded_servers import S3_CONFIG_FILE, find_program, nats_server
from deploy.stack.ports import LOOPBACK, free_ports
from shared.errors import UnavailableError
from shared.settings import load_settings
from shared.storage import Storage
from tests.conftest import ROOT
from tests.documents import section
from tests.faults.client import Client
from tests.faults.deployment import Deployment, Environments
from tests.integration.system import eventually
from tests.servers import Server

OPERATIONS = ROOT / "docs" / "operations.md"


class Broker:
    """A nats-server whose configuration the test edits, as an operator does."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._conf = folder / "nats.conf"
        self._conf.write_text((ROOT / "nats.conf").read_text())
        credentials, (self._port,) = load_credentials(folder), free_ports(1)
        spec = nats_server(folder, self._port, credentials)
        self.server = Server(replace(spec, argv=[spec.argv[0], "-c", str(self._conf), *spec.argv[3:]]), folder)
        self.urls = {role: self.url(role, password) for role, password in credentials.nats_passwords.items()}

    def url(self, user: str, password: str) -> str:
        return f"nats://{user}:{password}@{LOOPBACK}:{self._port}"

    def add(self, users: str) -> None:
        """Add users and reload."""
        self._edit("  users = [\n", f"  users = [\n{users}\n")

    def remove(self, *users: str) -> None:
        """Remove the lines of users and reload."""
        for user in users:
            (line,) = (line for line in self._conf.read_text().splitlines() if f"{{ user: {user}," in line)
            self._edit(f"{line}\n", "", reload=user == users[-1])

    def _edit(self, old: str, new: str, *, reload: bool = True) -> None:
        text = self._conf.read_text()
        assert text.count(old) == 1
        self._conf.write_text(text.replace(old, new))
        if reload:
            subprocess.run([find_program("nats-server"), "--signal", f"reload={self.server.pid}"], check=True)


@pytest.fixture
async def configured(in_containers: bool, tmp_path: Path) -> AsyncIterator[Broker]:
    if in_containers:
        pytest.skip("needs a NATS whose configuration the test can edit")
    broker = Broker(tmp_path / "broker")
    await broker.server.start_again()
    yield broker
    broker.server.stop()


async def logs_in(url: str) -> bool:
    """Whether the server accepts the user and password; nats-py leaves a refused connection open."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    login = {"user": parts.username, "pass": parts.password, "verbose": False}
    writer.write(b"CONNECT %s\r\nPING\r\n" % json.dumps(login).encode())
    await reader.readline()  # INFO
    answer = await reader.readline()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return answer.startswith(b"PONG")


async def replace_services(deployment: Deployment, gateway: Server, worker: Server, new: Environments) -> Client:
    """Start a gateway and a worker with these settings, drain the old worker, and stop the old gateway."""
    (client, _), _ = await asyncio.gather(deployment.gateway(**new["gateway"]), deployment.worker(**new["worker"]))
    (worker_id,) = set(re.findall(r"worker_id=(\S+)", worker.log))
    drain = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "drain", "--end", worker_id),
        env=os.environ | {"PYTHONPATH": str(ROOT), "NATS_URL": deployment.environment("operator")["NATS_URL"]},
    )
    gateway.terminate()
    assert [await drain.wait(), await worker.until_ended(), await gateway.until_ended()] == [0, 0, 0]
    return client


async def check_made_once(deployment: Deployment, client: Client, jobs: list[str]) -> None:
    assert await client.terminal_states(jobs) == ["completed"] * len(jobs)
    for job_id in jobs:
        status = await client.status(job_id)
        assert status is not None
        assert status["attempts"] == 1
    assert (await deployment.check()).completed == len(jobs)


@pytest.mark.thorough
async def test_passwords_of_nats_are_replaced_while_jobs_run(
    configured: Broker, s3_environment: Environments, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        deployment = Deployment(tmp_path, configured.urls, s3_environment, stack)
        (client, gateway), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
        jobs = [await client.submit("slow", 5.0) for _ in range(3)]  # two run, one waits
        await client.until(jobs[1], "processing")

        (lines,) = section(OPERATIONS, "Change credentials").split("```conf\n")[1:]
        configured.add(lines.split("```")[0].rstrip())
        urls = {role: configured.url(f"{role}-2", f"NEW_{role.upper()}_PASSWORD") for role in ("gateway", "worker")}
        await eventually(lambda: logs_in(urls["worker"]), "the second users are known")
        assert await logs_in(configured.urls["worker"])
        assert "nats disconnected" not in worker.log + gateway.log
        settings = {role: {"NATS_URL": url} for role, url in urls.items()}
        new = await replace_services(deployment, gateway, worker, settings)

        configured.remove("gateway", "worker")

        async def are_refused() -> bool:
            return not any([await logs_in(configured.urls[role]) for role in urls])

        await eventually(are_refused, "the old passwords are refused")
        jobs.append(await new.submit())
        await check_made_once(deployment, new, jobs)


@pytest.mark.thorough
async def test_keys_of_s3_are_replaced_while_jobs_run(
    nats_process: tuple[Server, dict[str, str]], s3_process: tuple[Server, Environments], tmp_path: Path
) -> None:
    (store, settings), file = s3_process, tmp_path / "s3" / S3_CONFIG_FILE
    new = {role: {"S3_ACCESS_KEY": f"new-{role}", "S3_SECRET_KEY": f"secret-{role}"} for role in ("gateway", "worker")}

    async def restart_with(identities: object) -> None:
        file.write_text(json.dumps(identities))
        store.kill()
        await store.start_again()

    async with AsyncExitStack() as stack:
        deployment = Deployment(tmp_path, nats_process[1], settings, stack)
        (old, gateway), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
        jobs = [await old.submit("slow", 5.0) for _ in range(3)]
        await old.until(jobs[1], "processing")
        await restart_with(_with_keys(json.loads(file.read_text()), new, keep=True))
        client = await replace_services(deployment, gateway, worker, new)
        await restart_with(_with_keys(json.loads(file.read_text()), new, keep=False))
        with pytest.raises(UnavailableError):
            await Storage(load_settings(settings["worker"])).check()
        jobs.append(await client.submit())
        await check_made_once(deployment, client, jobs)

        async def is_served() -> bool:
            async with client.http.get(f"{client.url}/api/v1/download/{jobs[0]}") as got:
                return got.status == 200 and (await got.read())[:4] == b"RIFF"

        await eventually(is_served, "the store serves again", 60)


def _with_keys(configuration: Any, new: Environments, *, keep: bool) -> Any:
    """The identities of SeaweedFS, with these keys beside the old ones or in place of them."""
    for identity in configuration["identities"]:
        if keys := new.get(identity["name"]):
            key = {"accessKey": keys["S3_ACCESS_KEY"], "secretKey": keys["S3_SECRET_KEY"]}
            identity["credentials"] = [*identity["credentials"], key] if keep else [key]
    return configuration


async def test_api_keys_and_webhook_secrets_are_replaced_while_jobs_wait(deployment: Deployment) -> None:
    keys = {name: f"0123456789abcdef-{name}" for name in ("old", "new")}
    secrets = {name: f"whsec_{base64.b64encode(name.encode() * 8).decode()}" for name in ("old", "new")}

    def settings(*names: str) -> dict[str, str]:
        return {
            "API_KEYS": ",".join(f"daw:{keys[name]}" for name in names),
            "WEBHOOK_SECRETS": ",".join(f"daw:{secrets[name]}" for name in names),
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }

    async with receiving(secrets) as (url, verified):
        client, gateway = await deployment.gateway(**settings("old"))
        client.http.headers["Authorization"] = f"Bearer {keys['old']}"
        jobs = [await client.submit(webhook=url, webhook_events=["completed"]) for _ in range(2)]
        # Clients and receivers change over at any time while both are valid.
        client, gateway = await _replace_gateway(deployment, gateway, settings("old", "new"))
        for key in keys.values():
            client.http.headers["Authorization"] = f"Bearer {key}"
            assert (await client.status(jobs[0]) or {}).get("status") == "queued"
        jobs.append(await client.submit(webhook=url, webhook_events=["completed"]))
        worker = await deployment.worker()
        await client.terminal_states(jobs)

        async def all_arrived() -> bool:
            return len(verified) == len(jobs)

        await eventually(all_arrived, "the webhooks arrive")
        assert verified == [{"old", "new"}] * 3
        client, _ = await _replace_gateway(deployment, gateway, settings("new"))
        assert worker.exit_code is None
        client.http.headers["Authorization"] = f"Bearer {keys['old']}"
        assert await client.status(jobs[0]) is None
        client.http.headers["Authorization"] = f"Bearer {keys['new']}"
        assert await client.terminal_states(jobs) == ["completed"] * 3
        assert (await deployment.check()).completed == 3


async def _replace_gateway(deployment: Deployment, old: Server, settings: dict[str, str]) -> tuple[Client, Server]:
    client, gateway = await deployment.gateway(**settings)
    old.terminate()
    assert await old.until_ended() == 0
    return client, gateway


@asynccontextmanager
async def receiving(secrets: dict[str, str]) -> AsyncIterator[tuple[str, list[set[str]]]]:
    """The URL of a receiver, and for each webhook the secrets with which the reference library accepts it."""
    verified: list[set[str]] = []

    async def take(request: web.Request) -> web.Response:
        body, headers = await request.read(), {name.lower(): value for name, value in request.headers.items()}
        accepted = set()
        for name, secret in secrets.items():
            with suppress(WebhookVerificationError):
                Webhook(secret).verify(body, headers)
                accepted.add(name)
        verified.append(accepted)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", take)
    async with TestServer(app) as server:
        yield str(server.make_url("/hook")), verified
