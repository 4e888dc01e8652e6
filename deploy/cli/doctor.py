"""`musicgen doctor`: checks settings, machine, model and servers, and suggests fixes."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
import nats.errors
import psutil
from musicgen_client.address import DEFAULT_URL, KEY_VARIABLE
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.cli.env import exported_variables
from deploy.stack.credentials import bearer
from deploy.stack.embedded_servers import find_program
from deploy.terminal import Terminal, literal
from gateway.access.api_keys import load_keys
from shared import subjects
from shared.errors import MusicgenError, SettingsError
from shared.messages import UNDECODABLE
from shared.models import GIGABYTE, HUB_REPOSITORIES, expected_memory, is_folder
from shared.nats_servers import NatsServers, parse_servers
from shared.settings import Settings, load_settings
from shared.storage import Storage
from shared.worker_info import ModelState, WorkerInfo, WorkerState
from worker.engine.kernels.native_library import REMEDY as NATIVE_REMEDY
from worker.engine.kernels.native_library import NativeStepError, instruction_sets

# Approximate disk space per model, in GB.
DISK_NEEDS = {"small": 3, "melody": 8, "medium": 8, "large": 14}
# Seconds to listen for workers: a little longer than their announcement interval.
LISTEN_SECONDS = 2.5

_decode = msgspec.json.Decoder(WorkerInfo).decode


class Finding(NamedTuple):
    """The result of one check. `ok` None means a note, neither good nor bad."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


async def doctor(data_dir: Path) -> int:
    """Print all findings; return exit code 1 if any check failed."""
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
    """Check settings, programs, machine, model and servers."""
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
        lambda: _native_step(settings),
        lambda: _memory(settings),
        lambda: _disk(data_dir, settings),
        lambda: _model(settings),
    ]
    servers = asyncio.gather(_nats(settings), _s3(settings), _workers(environ.get("MUSICGEN_URL"), settings))
    return [*(check() for check in local), *await servers]


def _environment(data_dir: Path) -> dict[str, str]:
    """Return the environment, completed with the variables of a running `up`."""
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
    return Finding("programs", True, "nats-server and weed are installed")


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
            f"no NVIDIA GPU ({error}); generation runs on the CPU",
            "Fine for `starter`, slow for Meta's models.",
        )
    return Finding("gpu", True, ", ".join(names))


def _native_step(settings: Settings) -> Finding:
    in_int4 = settings.musicgen_precision == "int4"
    try:
        sets = instruction_sets()
    except NativeStepError as error:
        without = "MUSICGEN_PRECISION=int4 needs it" if in_int4 else "on a CPU Meta's models are slower without it"
        detail = f"the native step is missing: {error}; {without}"
        remedy = f"{NATIVE_REMEDY}. It needs no library besides the C library."
        return Finding("step", False if in_int4 else None, detail, remedy)
    if in_int4:
        detail = f"native, with {', '.join(sets)}, in int4: its effect on trained models was not measured"
        return Finding("step", None, detail, "Compare the music with that of MUSICGEN_PRECISION=int8.")
    return Finding("step", True, f"native, with {', '.join(sets)}")


def _memory(settings: Settings) -> Finding:
    available = psutil.virtual_memory().available / GIGABYTE
    need, name = max((expected_memory(each) / GIGABYTE, name) for name, each in settings.models.items())
    detail = f"{available:.1f} GB free, {need:.2g} GB needed for {name}"
    return Finding(
        "memory",
        available >= need,
        detail,
        "" if available >= need else "Close other programs, or use a smaller model.",
    )


def _disk(data_dir: Path, settings: Settings) -> Finding:
    folder = next(each for each in (data_dir, *data_dir.parents) if each.exists())
    free = shutil.disk_usage(folder).free / GIGABYTE
    need = 5 + max((need for name, need in DISK_NEEDS.items() if name in settings.model), default=1)
    remedy = "" if free >= need else f"Free some space in {folder}, or choose another --data-dir."
    return Finding("disk", free >= need, f"{free:.0f} GB free, {need} GB needed", remedy)


def _model(settings: Settings) -> Finding:
    reference = settings.musicgen_model_size
    if is_folder(reference):
        folder = Path(reference).expanduser()
        complete = (folder / "state_dict.bin").is_file() and (folder / "compression_state_dict.bin").is_file()
        remedy = "" if complete else "It needs state_dict.bin and compression_state_dict.bin in audiocraft's format."
        return Finding("model", complete, f"folder {folder}", remedy)
    if reference not in HUB_REPOSITORIES:
        return Finding("model", True, "starter: included, needs no network")
    cached = _is_cached(HUB_REPOSITORIES[reference])
    detail = f"{HUB_REPOSITORIES[reference]}: {'in the cache' if cached else 'will be downloaded at the first start'}"
    return Finding(
        "model", True if cached else None, detail, "Meta's weights are licensed CC-BY-NC: no commercial use."
    )


def _is_cached(repository: str) -> bool:
    try:
        home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    except RuntimeError:
        return False  # the user has no home folder
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    return any((cache / f"models--{repository.replace('/', '--')}").glob("snapshots/*/state_dict.bin"))


async def _nats(settings: Settings) -> Finding:
    servers = parse_servers(settings.nats_url)
    each = [servers._replace(urls=(url,)) for url in servers.urls]
    problems = [problem for problem in await asyncio.gather(*map(_nats_problem, each)) if problem]
    if not problems:
        return Finding("nats", True, str(servers))
    detail = "; ".join(problems)
    if len(problems) == len(each):
        return _unreachable("nats", detail, "NATS_URL")
    answering = f"{len(each) - len(problems)} of {len(each)} servers answer"
    return Finding(
        "nats", None, f"{answering}; {detail}", "Restart it: until then, the cluster tolerates fewer failures."
    )


async def _nats_problem(server: NatsServers) -> str | None:
    """Return why this server is unusable, or None if it works."""
    errors: list[str] = []

    async def on_error(error: Exception) -> None:
        errors.append(str(error) or type(error).__name__)

    client = Client()
    try:
        async with asyncio.timeout(3):
            options = server.connect_options(client)
            # No reconnects: they could reach another server of the cluster instead.
            await client.connect(**options, connect_timeout=2, error_cb=on_error, allow_reconnect=False)
            await client.jetstream(timeout=2).account_info()
    except (nats.errors.Error, OSError, TimeoutError) as error:
        return f"{server}: {errors[-1] if errors else error!r}"
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
        return Finding("workers", None, "unknown without a gateway or NATS; `musicgen up` starts all of them")
    return _worker_finding(workers)


def _unreachable(what: str, detail: str, variable: str) -> Finding:
    """The finding for a server that does not answer: a failure if `variable` is set, else `up` starts its own."""
    if os.environ.get(variable):
        return Finding(
            what,
            False,
            detail,
            f"Start it, or correct {variable}. Unset {variable} to let `musicgen up` start its own.",
        )
    return Finding(what, None, "not running; `musicgen up` starts its own")


async def workers_of_gateway(url: str) -> list[WorkerInfo] | None:
    """Ask the gateway at `url` for its workers; None if it does not answer or requires another API key."""
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=bearer(os.environ.get(KEY_VARIABLE, ""))) as session,
            session.get(f"{url.rstrip('/')}/health") as response,
        ):
            body: dict[str, Any] = await response.json(content_type=None)
            return msgspec.convert(body["workers"], list[WorkerInfo])
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return None


async def workers_on_nats(url: str) -> list[WorkerInfo] | None:
    """Listen for worker announcements; None if NATS is unreachable or this user may not subscribe to them."""
    workers: dict[str, WorkerInfo] = {}
    refused = asyncio.Event()

    async def on_message(message: Msg) -> None:
        with suppress(*UNDECODABLE):
            worker = _decode(message.data)
            workers[worker.worker_id] = worker

    async def on_error(error: Exception) -> None:
        refused.set()

    client = Client()
    try:
        async with asyncio.timeout(LISTEN_SECONDS + 3):
            await client.connect(connect_timeout=2, error_cb=on_error, **parse_servers(url).connect_options(client))
            await client.subscribe(subjects.ALL_WORKERS, cb=on_message)
            with suppress(TimeoutError):
                await asyncio.wait_for(refused.wait(), LISTEN_SECONDS)
    except (nats.errors.Error, OSError, TimeoutError):
        return None
    finally:
        await client.close()
    return None if refused.is_set() else list(workers.values())


def _served(workers: list[WorkerInfo]) -> Iterator[str]:
    for worker in workers:
        for model in worker.served:
            state = f"on {worker.device}" if model.state is ModelState.LOADED else model.state.value
            yield f"{model.name} {state}"


def _worker_finding(workers: list[WorkerInfo]) -> Finding:
    """Return whether a model is served, and the remedy if not."""
    ready = [worker for worker in workers if worker.state is WorkerState.READY]
    if ready:
        return Finding("workers", True, f"{len(ready)} ready: {', '.join(sorted(set(_served(ready))))}")
    failed = next((worker for worker in workers if worker.state is WorkerState.FAILED), None)
    if failed:
        remedy = failed.remedy or "Check the worker's log."
        return Finding("workers", False, f"no worker serves a model: {failed.message}", remedy)
    if workers:
        detail = f"no worker serves a model yet: {workers[0].message}"
        return Finding("workers", None, detail, "Wait until it is ready.")
    remedy = "Start one with `musicgen worker`, or `musicgen up` without --no-worker."
    return Finding("workers", False, "no worker serves a model: jobs stay queued", remedy)
