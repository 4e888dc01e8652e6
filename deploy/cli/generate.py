"""`musicgen generate`: sends a request, shows progress from the WebSocket, and saves the audio."""

import asyncio
from contextlib import ExitStack, suppress
from typing import Any

import aiohttp
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deploy.cli.destination import Destination
from deploy.cli.finished_job import read_job, summary
from deploy.cli.gateway_client import REQUEST_TIMEOUT, GatewayError, GatewayTarget, gateway_session, read_json
from deploy.cli.request import as_options
from deploy.cli.saving import Saving, save_files
from deploy.cli.signals import until_signal
from deploy.terminal import Terminal, literal, plain
from shared.errors import MusicgenError
from shared.job_id import is_job_id
from shared.messages import UNDECODABLE, Event, JobStatus

GENERATE = "/api/v1/generate"
RECONNECT_DELAY = 1.0
# The smallest WAV file: 16 bits at 16 kHz, mono. With less disk space the request is not sent.
MIN_WAV_BYTES_PER_SECOND = 32_000
# The longest duration that any gateway accepts; the gateway rejects longer ones itself.
MAX_SECONDS = 600.0
# The most takes of one request.
MAX_TAKES = 8

_decode = msgspec.json.Decoder(Event).decode


async def generate(target: GatewayTarget, body: dict[str, Any], saving: Saving, path: str = GENERATE) -> int:
    """Send the request to a path, show its progress, and save the audio of each take.

    Ctrl-C, SIGTERM and SIGHUP cancel all takes that have not ended.

    Returns:
        The exit code: 0, or 128 plus the signal number.

    Raises:
        MusicgenError: if the job is rejected, fails or is cancelled, or its audio cannot be written.
    """
    with ExitStack() as opened:
        destinations = []
        for each in saving.of_takes(_count_takes(body)):
            destinations.append(each.open(_least_bytes(body)))
            opened.callback(destinations[-1].close)
        return await until_signal(_generate(target, body, destinations, saving, path))


def _count_takes(body: dict[str, Any]) -> int:
    """How many takes the request asks for; the gateway refuses other numbers itself."""
    return min(max(int(body.get("variations", 1)), 1), MAX_TAKES)


def _least_bytes(body: dict[str, Any]) -> int:
    """The least size of the audio, as far as the request tells."""
    seconds = body.get("duration", 0.0)
    return round(min(seconds, MAX_SECONDS) * MIN_WAV_BYTES_PER_SECOND) if body.get("format", "wav") == "wav" else 0


async def _generate(
    target: GatewayTarget, body: dict[str, Any], destinations: list[Destination], saving: Saving, path: str
) -> None:
    console = Terminal(stderr=True)
    failures = []
    async with gateway_session(target) as session:
        takes = await _generated(session, path, body, console)
        if len(takes) != len(destinations):
            raise MusicgenError(f"The gateway made {len(takes)} takes instead of {len(destinations)}.")
        for final, destination in zip(takes, destinations, strict=True):
            if final.status is JobStatus.COMPLETED:
                await _save(session, final.job_id, destination, saving, console)
            else:
                failures.append(f"{final.job_id} {final.status.value}: {final.error_message or final.message}")
    if failures:
        raise MusicgenError("\n".join(failures))


async def _save(
    session: aiohttp.ClientSession, job_id: str, destination: Destination, saving: Saving, console: Console
) -> None:
    """Save a take and print its properties."""
    try:
        job = await read_job(session, job_id)
        await save_files(session, job, destination, saving, console)
    except (MusicgenError, asyncio.CancelledError, aiohttp.ClientError, TimeoutError):
        with suppress(OSError):
            console.print(f"The music is stored: `musicgen download {job_id}` saves it.")
        raise
    for label, text in summary(job):
        console.print(f"  [{'yellow' if label == 'warning' else 'dim'}]{label:<10}[/] {literal(text)}")


async def _generated(session: aiohttp.ClientSession, path: str, body: dict[str, Any], console: Console) -> list[Event]:
    """Have the music generated; return the last event of each take."""
    sending = asyncio.create_task(_send(session, path, body))
    try:
        job_ids = await asyncio.shield(sending)
        console.print(f"[dim]{' '.join(job_ids)}[/]")
        label = "Take {} of {}: " if len(job_ids) > 1 else ""
        return [
            await _follow(session, job_id, console, label.format(number, len(job_ids)))
            for number, job_id in enumerate(job_ids, 1)
        ]
    except asyncio.CancelledError:
        await _cancel(session, sending, console)
        raise


async def _send(session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> list[str]:
    """Send the request; return the job ids of its takes."""
    async with session.post(path, json=body, timeout=REQUEST_TIMEOUT) as response:
        try:
            answer = await read_json(response, "job_id")
        except GatewayError as error:
            raise as_options(error) from error
    job_ids = [str(take.get("job_id")) for take in answer.get("takes", (answer,))]
    for job_id in job_ids:
        if not is_job_id(job_id):
            raise MusicgenError(f"The gateway answered with {job_id!r}, which is not a job id.")
    return job_ids


async def _cancel(session: aiohttp.ClientSession, sending: asyncio.Task[list[str]], console: Console) -> None:
    """Cancel all takes, even if the request is still in flight."""
    try:
        job_ids = await sending
        every = {"takes": "1"} if len(job_ids) > 1 else {}
        async with session.delete(f"/api/v1/jobs/{job_ids[0]}", params=every, timeout=REQUEST_TIMEOUT) as response:
            await read_json(response)
    except (MusicgenError, aiohttp.ClientError, TimeoutError) as error:
        outcome = f"The job could not be cancelled and may still run: {literal(error)}"
    else:
        outcome = f"{' '.join(job_ids)} cancelled"
    with suppress(OSError):  # after SIGHUP the terminal may be gone
        console.print(outcome)


async def _follow(session: aiohttp.ClientSession, job_id: str, console: Console, label: str = "") -> Event:
    """Show events until the terminal one and return it. Reconnects when the connection breaks.

    Args:
        session: to the gateway.
        job_id: the job.
        console: shows the progress.
        label: before every description.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{label}Queued", total=1.0)
        while True:
            try:
                async with session.ws_connect(f"/ws?job_id={job_id}", heartbeat=20) as socket:
                    async for message in socket:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            continue
                        event = _event(message.data)
                        waiting = await _why_queued(session, job_id) if event.status is JobStatus.QUEUED else None
                        said = f"{label}{plain(waiting or event.message)}"
                        progress.update(task, completed=event.progress, description=said)
                        if event.status.is_terminal:
                            return event
            except (aiohttp.ClientConnectionError, aiohttp.WSServerHandshakeError):
                progress.update(task, description=f"{label}The gateway is unreachable; reconnecting")
            await asyncio.sleep(RECONNECT_DELAY)


async def _why_queued(session: aiohttp.ClientSession, job_id: str) -> str:
    """Return the status message, which has the queue position; events do not."""
    async with session.get(f"/api/v1/status/{job_id}", timeout=REQUEST_TIMEOUT) as response:
        return str((await read_json(response, "message"))["message"])


def _event(frame: str) -> Event:
    try:
        return _decode(frame)
    except UNDECODABLE as error:
        detail = frame
        with suppress(AttributeError, *UNDECODABLE):
            detail = msgspec.json.decode(frame).get("detail", frame)
        raise MusicgenError(f"The gateway reports: {detail}") from error
