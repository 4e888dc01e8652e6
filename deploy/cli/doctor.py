"""`musicgen doctor`: looks at everything that can be wrong, and says how to mend it."""

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
import nats.errors
import psutil
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.cli.env import exported_variables
from deploy.cli.gateway_client import DEFAULT_URL
from deploy.stack.credentials import API_KEY_VARIABLE, bearer
from deploy.stack.embedded_servers import find_program
from deploy.terminal import Terminal, literal
from gateway.access.api_keys import load_keys
from shared import subjects
from shared.errors import MusicgenError, SettingsError
from shared.messages import UNDECODABLE, WorkerInfo, WorkerState
from shared.models import HUB_REPOSITORIES, is_folder
from shared.nats_servers import NatsServers, parse_servers
from shared.settings import Settings, load_settings
from shared.storage import Storage

GIGABYTE = 1024**3

# Rough need of main or GPU memory, in gigabytes, with room for a batch.
MEMORY_NEEDS = {"small": 4, "melody": 8, "medium": 8, "large": 16}
DISK_NEEDS = {"small": 3, "melody": 8, "medium": 8, "large": 14}
# A little longer than the time between two announcements of a worker.
LISTEN_SECONDS = 2.5

_decode = msgspec.json.Decoder(WorkerInfo).decode


class Finding(NamedTuple):
    """One look: what, whether it is well, and the remedy if it is not. `ok` None means: a note."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


async def doctor(data_dir: Path) -> int:
    """Print what was found; returns 1 if anything is wrong."""
    console = Terminal()
    findings = await run_checks(data_dir)
    marks = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]·[/]"}
    for finding in findings:
        console.print(f" {marks[finding.ok]} {finding.name:<9}", end="")
        console.print(literal(finding.detail))
        if finding.remedy:
            console.print(f"             → {literal(finding.remedy)}")
    return int(any(finding.ok is False for finding in findings))


async def run_checks(data_dir: Path) -> list[Finding]:
    """Look at settings, programs, machine, model and servers."""
    try:
        environ = _environment(data_dir)
        settings = load_settings(environ)
        load_keys(settings)
    except SettingsError as error:
        return [Finding("settings", False, str(error), "Correct the variable, or unset it.")]
    local: list[Callable[[], Finding]] = [
        lambda: Finding("settings", True, "every variable is valid"),
        _programs,
        _gpu,
        lambda: _memory(settings),
        lambda: _disk(data_dir, settings),
        lambda: _model(settings),
    ]
    servers = asyncio.gather(_nats(settings), _s3(settings), _workers(environ.get("MUSICGEN_URL"), settings))
    return [*(look() for look in local), *await servers]


def _environment(data_dir: Path) -> dict[str, str]:
    """The environment, completed by what a running `up` says."""
    try:
        return exported_variables(data_dir) | dict(os.environ)
    except MusicgenError:
        return dict(os.environ)


def _programs() -> Finding:
    try:
        for name in ("nats-server", "weed"):
            find_program(name)
    except MusicgenError as error:
        return Finding("programs", False, str(error))
    return Finding("programs", True, "nats-server and weed are there")


def _gpu() -> Finding:
    import pynvml

    try:
        pynvml.nvmlInit()
        names = [
            str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(n)))
            for n in range(pynvml.nvmlDeviceGetCount())
        ]
    except pynvml.NVMLError as error:
        return Finding(
            "gpu",
            None,
            f"no NVIDIA GPU ({error}): generation runs on the CPU",
            "Fine for `starter`; slow for Meta's models.",
        )
    return Finding("gpu", True, ", ".join(names))


def _memory(settings: Settings) -> Finding:
    available = psutil.virtual_memory().available / GIGABYTE
    need = _need(MEMORY_NEEDS, settings)
    detail = f"{available:.1f} GB free, {need} GB wanted for {settings.model}"
    return Finding(
        "memory", available >= need, detail, "" if available >= need else "Close programs, or use a smaller model."
    )


def _disk(data_dir: Path, settings: Settings) -> Finding:
    folder = next(each for each in (data_dir, *data_dir.parents) if each.exists())
    free = shutil.disk_usage(folder).free / GIGABYTE
    need = 5 + _need(DISK_NEEDS, settings)
    remedy = "" if free >= need else f"Free some space, or put --data-dir elsewhere; it is below {folder}."
    return Finding("disk", free >= need, f"{free:.0f} GB free, {need} GB wanted", remedy)


def _need(table: dict[str, int], settings: Settings) -> int:
    return max((need for name, need in table.items() if name in settings.model), default=1)


def _model(settings: Settings) -> Finding:
    reference = settings.musicgen_model_size
    if is_folder(reference):
        folder = Path(reference).expanduser()
        there = (folder / "state_dict.bin").is_file() and (folder / "compression_state_dict.bin").is_file()
        remedy = "" if there else "It needs state_dict.bin and compression_state_dict.bin, in audiocraft's format."
        return Finding("model", there, f"folder {folder}", remedy)
    if reference not in HUB_REPOSITORIES:
        return Finding("model", True, "starter: comes with the program, needs no network")
    cached = _is_cached(HUB_REPOSITORIES[reference])
    detail = f"{HUB_REPOSITORIES[reference]}: {'in the cache' if cached else 'will be downloaded at first start'}"
    return Finding("model", True if cached else None, detail, "Meta's weights are CC-BY-NC: not for commercial use.")


def _is_cached(repository: str) -> bool:
    try:
        home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    except RuntimeError:
        return False  # a user without a home folder
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    return any((cache / f"models--{repository.replace('/', '--')}").glob("snapshots/*/state_dict.bin"))


async def _nats(settings: Settings) -> Finding:
    servers = parse_servers(settings.nats_url)
    each = [servers._replace(urls=(url,)) for url in servers.urls]
    troubles = [trouble for trouble in await asyncio.gather(*map(_nats_trouble, each)) if trouble]
    if not troubles:
        return Finding("nats", True, str(servers))
    detail = "; ".join(troubles)
    if len(troubles) == len(each):
        return _unreachable("nats", detail, "NATS_URL")
    answering = f"{len(each) - len(troubles)} of {len(each)} servers answer"
    return Finding("nats", None, f"{answering}; {detail}", "Start it again: the cluster has less to lose until then.")


async def _nats_trouble(server: NatsServers) -> str | None:
    """Why this one server cannot be used, or None if it can."""
    heard: list[str] = []

    async def hear(error: Exception) -> None:
        heard.append(str(error) or type(error).__name__)

    client = Client()
    try:
        async with asyncio.timeout(3):
            options = server.connect_options(client)
            # Without reconnecting: another server of the cluster must not answer in its place.
            await client.connect(**options, connect_timeout=2, error_cb=hear, allow_reconnect=False)
            await client.jetstream(timeout=2).account_info()
    except (nats.errors.Error, OSError, TimeoutError) as error:
        return f"{server}: {heard[-1] if heard else error!r}"
    finally:
        await client.close()
    return None


async def _s3(settings: Settings) -> Finding:
    try:
        await Storage(settings).check()
    except MusicgenError as error:
        return _unreachable("s3", f"{settings.s3_endpoint}: {error}", "S3_ENDPOINT")
    return Finding("s3", True, f"{settings.s3_endpoint}, bucket {settings.s3_bucket}")


async def _workers(url: str | None, settings: Settings) -> Finding:
    workers = await workers_of_gateway(url or DEFAULT_URL)
    if workers is None:
        workers = await workers_on_nats(settings.nats_url)
    if workers is None:
        return Finding("workers", None, "none can be seen without a gateway or NATS; `musicgen up` starts all of them")
    return Finding("workers", *describe(workers))


def _unreachable(what: str, detail: str, variable: str) -> Finding:
    """A server of one's own must answer; without one, `up` brings it."""
    if os.environ.get(variable):
        return Finding(
            what, False, detail, f"Start it, or correct {variable}; without it `musicgen up` brings its own."
        )
    return Finding(what, None, "not running; `musicgen up` starts its own")


async def workers_of_gateway(url: str) -> list[WorkerInfo] | None:
    """What the gateway at `url` tells; None if none answers there, or not without another API key."""
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=bearer(os.environ.get(API_KEY_VARIABLE, ""))) as session,
            session.get(f"{url.rstrip('/')}/health") as response,
        ):
            body: dict[str, Any] = await response.json(content_type=None)
            return msgspec.convert(body["workers"], list[WorkerInfo])
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return None


async def workers_on_nats(url: str) -> list[WorkerInfo] | None:
    """The workers that announce themselves there; None if NATS is away, or this user may not hear them."""
    heard: dict[str, WorkerInfo] = {}
    refused = asyncio.Event()

    async def take(message: Msg) -> None:
        with suppress(*UNDECODABLE):
            worker = _decode(message.data)
            heard[worker.worker_id] = worker

    async def note(error: Exception) -> None:
        refused.set()

    client = Client()
    try:
        async with asyncio.timeout(LISTEN_SECONDS + 3):
            await client.connect(connect_timeout=2, error_cb=note, **parse_servers(url).connect_options(client))
            await client.subscribe(subjects.ALL_WORKERS, cb=take)
            with suppress(TimeoutError):
                await asyncio.wait_for(refused.wait(), LISTEN_SECONDS)
    except (nats.errors.Error, OSError, TimeoutError):
        return None
    finally:
        await client.close()
    return None if refused.is_set() else list(heard.values())


def describe(workers: list[WorkerInfo]) -> tuple[bool | None, str, str]:
    """Whether a model is served, what to say of it, and the remedy."""
    ready = [worker for worker in workers if worker.state is WorkerState.READY]
    if ready:
        served = ", ".join(sorted({f"{worker.model} on {worker.device}" for worker in ready}))
        return True, f"{len(ready)} ready: {served}", ""
    failed = next((worker for worker in workers if worker.state is WorkerState.FAILED), None)
    if failed:
        return False, f"no worker serves a model: {failed.message}", failed.remedy or "Look at the worker's log."
    if workers:
        return None, f"no worker serves a model yet: {workers[0].message}", "Wait until it is ready."
    remedy = "Start one with `musicgen worker`, or `musicgen up` without --no-worker."
    return False, "no worker serves a model: jobs stay queued", remedy
