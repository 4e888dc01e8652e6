"""The local stack: NATS and S3 first, then workers and gateway, then the wait for a model."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import nats
from musicgen_client.address import KEY_VARIABLE
from rich.console import Console

from deploy.stack.child import ChildSpec
from deploy.stack.credentials import Credentials, bearer, load_credentials
from deploy.stack.embedded_servers import nats_server, s3_server
from deploy.stack.ports import LOOPBACK, allocate, free_ports
from deploy.stack.supervisor import Supervisor
from deploy.terminal import literal
from gateway.access.api_keys import load_keys, read_pairs
from gateway.access.bind_policy import check_binding
from shared.errors import MusicgenError
from shared.models import is_folder, model_settings
from shared.nats_servers import parse_servers
from shared.settings import http_url, load_settings
from shared.topology import allow_batches

NATS_PORT = 4222
S3_PORT = 8333

# A server that listens on all addresses is reachable on loopback.
REACHABLE_HOST = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104

EXAMPLE_REQUEST = (
    "curl {key}-H 'Content-Type: application/json' "
    """-d '{"prompt": "upbeat electronic music with synthesizer and drums", "duration": 8}' """
    "{url}/api/v1/generate"
)


@dataclass(frozen=True)
class StackOptions:
    """The options of `up`. `port` None means the default port, or a free one if that is taken.

    `models` are names or folders; without any, the settings name them. If `gpus` has numbers, there are as many
    workers, and each one runs on its own GPU.
    """

    data_dir: Path
    port: int | None
    workers: int
    models: Sequence[str] = ()
    gpus: Sequence[int] = ()


class LocalStack:
    """Chooses ports and credentials, and starts every process that is not configured to run elsewhere."""

    def __init__(self, options: StackOptions, supervisor: Supervisor, console: Console) -> None:
        self._options = options
        self._supervisor = supervisor
        self._console = console
        self._credentials: Credentials = load_credentials(options.data_dir)
        self._environ = dict(os.environ)
        self._environ |= model_settings([_absolute_checkpoint(each) for each in options.models])
        # Invalid settings stop the start before any process runs.
        settings = load_settings(self._environ)
        check_binding(settings, load_keys(settings))
        pairs = read_pairs(settings)
        self._authorization = bearer(pairs[0][1] if pairs else "")
        # The gateway binds its port last, so allocate it first.
        self._gateway_port = self._choose_gateway_port()

    async def start(self) -> None:
        """Start everything; return when the first worker is ready or has failed."""
        nats_url = await self._nats()
        s3_environment = await self._s3()
        numbers = range(1, self._options.workers + 1)
        workers = [self._worker(number, nats_url("worker"), s3_environment("worker")) for number in numbers]
        gateway = self._gateway(nats_url("gateway"), s3_environment("gateway"))
        # Together: a gateway started later would miss the first announcement of a fast worker.
        *_, gateway = await self._supervisor.start(*workers, gateway)
        (url,) = gateway.urls
        loaded = bool(workers) and await wait_for_model(url, self._authorization, self._console)
        self._console.print(f"\n[bold green]ready[/]  {url}{'' if loaded else '  (no model yet: jobs stay queued)'}")
        key = "-H 'Authorization: Bearer KEY' " if self._authorization else ""
        example = EXAMPLE_REQUEST.replace("{url}", url).replace("{key}", key)
        self._console.print(example, markup=False, highlight=False, soft_wrap=True)
        self._console.print("[dim]Ctrl-C stops everything; queued jobs continue at the next start.[/]\n")

    async def _nats(self) -> Callable[[str], str]:
        external = self._environ.get("NATS_URL")
        if external:
            self._console.print("  [green]✓[/] nats      external, from NATS_URL")
            return lambda role: external
        port = self._choose_port("NATS", NATS_PORT)
        (spec,) = await self._supervisor.start(nats_server(self._options.data_dir, port, self._credentials))
        server = spec.urls[0].removeprefix("nats://")

        def url(role: str) -> str:
            return f"nats://{role}:{self._credentials.nats_passwords[role]}@{server}"

        await _update_records(url("operator"))
        return url

    async def _s3(self) -> Callable[[str], dict[str, str]]:
        if self._environ.get("S3_ENDPOINT"):
            self._console.print("  [green]✓[/] s3        external, from S3_ENDPOINT")
            return lambda role: {}

        def keys(role: str) -> dict[str, str]:
            pair = self._credentials.s3_keys[role]
            return {"S3_ACCESS_KEY": pair.access_key, "S3_SECRET_KEY": pair.secret_key}

        settings, port = load_settings(self._environ | keys("operator")), self._choose_port("S3", S3_PORT)
        (spec,) = await self._supervisor.start(s3_server(self._options.data_dir, port, self._credentials, settings))
        return lambda role: {"S3_ENDPOINT": spec.urls[0], **keys(role)}

    def _worker(self, number: int, nats_url: str, s3: Mapping[str, str]) -> ChildSpec:
        (port,) = free_ports(1)
        environment = {"NATS_URL": nats_url, "WORKER_METRICS_HOST": LOOPBACK, "WORKER_METRICS_PORT": str(port), **s3}
        if self._options.gpus:
            environment["MUSICGEN_DEVICE"] = f"cuda:{self._options.gpus[number - 1]}"
        if not self._environ.get("MUSICGEN_SPOOL_DIR"):
            environment["MUSICGEN_SPOOL_DIR"] = str(self._options.data_dir.absolute() / "spool")
        grace = load_settings(self._environ).shutdown_grace
        metrics = f"http://{LOOPBACK}:{port}/metrics"
        return ChildSpec(
            name=f"worker-{number}",
            role="worker",
            argv=_musicgen("worker"),
            env=_without_keys(self._environ) | environment,
            urls=[metrics],
            is_ready=_http_check(metrics),
            # The worker waits for running jobs, hands back the rest, and then waits for a stuck engine.
            grace=2 * grace + 10,
            ports=(port,),
            with_other_ports=lambda: self._worker(number, nats_url, s3),
        )

    def _gateway(self, nats_url: str, s3: Mapping[str, str]) -> ChildSpec:
        settings = load_settings(self._environ)
        port = self._gateway_port
        url = http_url(REACHABLE_HOST.get(settings.gateway_host, settings.gateway_host), port)
        environment = {"NATS_URL": nats_url, "GATEWAY_PORT": str(port), **s3}
        if not settings.gateway_index_dir:
            environment["GATEWAY_INDEX_DIR"] = str(self._options.data_dir.absolute() / "index")
        return ChildSpec(
            name="gateway",
            role="gateway",
            argv=_musicgen("gateway"),
            env=self._environ | environment,
            urls=[url],
            is_ready=_http_check(f"{url}/health/ready"),
            grace=settings.shutdown_grace + 10,
            ports=(port,),
            with_other_ports=None if self._options.port else self._gateway_on_other_port(nats_url, s3),
        )

    def _gateway_on_other_port(self, nats_url: str, s3: Mapping[str, str]) -> Callable[[], ChildSpec]:
        def with_other_port() -> ChildSpec:
            (self._gateway_port,) = free_ports(1)
            return self._gateway(nats_url, s3)

        return with_other_port

    def _choose_gateway_port(self) -> int:
        port = self._options.port
        if port is None:
            return self._choose_port("gateway", load_settings(self._environ).gateway_port)
        if not allocate(port):
            raise MusicgenError(f"Port {port} is taken by another program. Stop that program, or give another --port.")
        return port

    def _choose_port(self, what: str, default: int) -> int:
        if allocate(default):
            return default
        (port,) = free_ports(1)
        self._console.print(f"  [yellow]![/] port {default} is taken: {what} uses {port} instead")
        return port


async def _update_records(operator_url: str) -> None:
    """Update the bucket of records that an earlier version made in this data folder."""
    client = await nats.connect(operator_url, inbox_prefix=parse_servers(operator_url).inbox_prefix)
    try:
        await allow_batches(client.jetstream())
    finally:
        await client.close()


def _absolute_checkpoint(model: str) -> str:
    """Return a checkpoint folder as an absolute path, because children may run in another folder."""
    return str(Path(model).expanduser().resolve()) if is_folder(model) else model


def _without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without API keys, which only the gateway and clients need."""
    return {name: value for name, value in environ.items() if not name.startswith(("API_KEYS", KEY_VARIABLE))}


def _musicgen(command: str) -> list[str]:
    return [sys.executable, "-m", "deploy.cli.main", command]


def _http_check(url: str) -> Callable[[], Awaitable[bool]]:
    async def is_ready() -> bool:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session,
                session.get(url) as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    return is_ready


async def wait_for_model(url: str, headers: Mapping[str, str], console: Console) -> bool:
    """Show the workers' progress until one is ready or all have failed; return whether one is ready.

    Args:
        url: URL of the gateway, whose `/health` lists the workers.
        headers: headers of each request, with the API key if needed.
        console: where progress is printed.
    """
    started, shown = time.monotonic(), ""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), headers=headers) as session:
        while True:
            workers = await _read_workers(session, url)
            states = {worker["state"] for worker in workers}
            if "ready" in states:
                took = f"[dim]({time.monotonic() - started:.1f} s)[/]"
                console.print(f"  [green]✓[/] model     {literal(_describe_ready(workers))} {took}")
                return True
            if states == {"failed"}:
                worker = workers[0]
                console.print(f"  [red]✗[/] model     {literal(worker['message'])}\n    {literal(worker['remedy'])}")
                return False
            text = workers[0]["message"] if workers else "Starting the engine"
            if text != shown:
                shown = text
                console.print(f"  [dim]· model     {literal(text)} …[/]")
            await asyncio.sleep(0.2)


async def _read_workers(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    try:
        async with session.get(f"{url}/health") as response:
            workers: list[dict[str, Any]] = (await response.json())["workers"]
            return workers
    except (aiohttp.ClientError, TimeoutError):
        return []  # the gateway is restarting


def _describe_ready(workers: list[dict[str, Any]]) -> str:
    ready = next(worker for worker in workers if worker["state"] == "ready")
    loaded = f"on {ready['device']}, {ready['slots']} at a time in each worker"
    states = {"loaded": loaded, "loadable": "on demand"}
    return "; ".join(f"{model['name']} {states.get(model['state'], model['state'])}" for model in ready["models"])
