"""`musicgen generate`: sends a request, shows its progress, and saves the audio."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, aclosing, suppress
from typing import Any

from musicgen_client import AsyncClient, AsyncJob, ClientError, Event, JobStatus
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deploy.cli.destination import Destination
from deploy.cli.finished_job import read_job, summary
from deploy.cli.gateway_client import GatewayTarget, gateway_client
from deploy.cli.saving import Saving, save_files
from deploy.cli.signals import until_signal
from deploy.terminal import Terminal, literal, plain
from shared.errors import MusicgenError
from shared.job_id import is_job_id

# Sends a request with the given fields.
Send = Callable[..., Awaitable[AsyncJob]]
# The smallest WAV file: 16 bits at 16 kHz, mono. With less disk space the request is not sent.
MIN_WAV_BYTES_PER_SECOND = 32_000
# The longest duration that any gateway accepts; the gateway rejects longer ones itself.
MAX_SECONDS = 600.0
# The most takes of one request.
MAX_TAKES = 8


async def generate(
    target: GatewayTarget, body: dict[str, Any], saving: Saving, send: Send = AsyncClient.generate
) -> int:
    """Send the request, show its progress, and save the audio of each take.

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
        return await until_signal(_generate(target, body, destinations, saving, send))


def _count_takes(body: dict[str, Any]) -> int:
    """How many takes the request asks for; the gateway refuses other numbers itself."""
    return min(max(int(body.get("variations", 1)), 1), MAX_TAKES)


def _least_bytes(body: dict[str, Any]) -> int:
    """The least size of the audio, as far as the request tells."""
    seconds = body.get("duration", 0.0)
    return round(min(seconds, MAX_SECONDS) * MIN_WAV_BYTES_PER_SECOND) if body.get("format", "wav") == "wav" else 0


async def _generate(
    target: GatewayTarget, body: dict[str, Any], destinations: list[Destination], saving: Saving, send: Send
) -> None:
    console = Terminal(stderr=True)
    failures = []
    async with gateway_client(target) as client:
        takes = await _generated(client, send, body, console)
        if len(takes) != len(destinations):
            raise MusicgenError(f"The gateway made {len(takes)} takes instead of {len(destinations)}.")
        for (job, final), destination in zip(takes, destinations, strict=True):
            if final.status is JobStatus.COMPLETED:
                await _save(job, destination, saving, console)
            else:
                failures.append(f"{job.id} {final.status.value}: {final.error_message or final.message}")
    if failures:
        raise MusicgenError("\n".join(failures))


async def _save(job: AsyncJob, destination: Destination, saving: Saving, console: Console) -> None:
    """Save a take and print its properties."""
    try:
        view = await read_job(job)
        await save_files(job, view, destination, saving, console)
    except (MusicgenError, ClientError, asyncio.CancelledError):
        with suppress(OSError):
            console.print(f"The music is stored: `musicgen download {job.id}` saves it.")
        raise
    for label, text in summary(view):
        console.print(f"  [{'yellow' if label == 'warning' else 'dim'}]{label:<10}[/] {literal(text)}")


async def _generated(
    client: AsyncClient, send: Send, body: dict[str, Any], console: Console
) -> list[tuple[AsyncJob, Event]]:
    """Have the music generated; return each take with its last event."""
    sending = asyncio.create_task(_sent(client, send, body))
    try:
        jobs = await asyncio.shield(sending)
        console.print(f"[dim]{' '.join(job.id for job in jobs)}[/]")
        label = "Take {} of {}: " if len(jobs) > 1 else ""
        return [(job, await _follow(job, console, label.format(n, len(jobs)))) for n, job in enumerate(jobs, 1)]
    except asyncio.CancelledError:
        await _cancel(sending, console)
        raise


async def _sent(client: AsyncClient, send: Send, body: dict[str, Any]) -> list[AsyncJob]:
    """Send the request; return the jobs of its takes."""
    job = await send(client, **body)
    jobs = await job.takes() if _count_takes(body) > 1 else [job]
    for each in jobs:
        if not is_job_id(each.id):
            raise MusicgenError(f"The gateway answered with {each.id!r}, which is not a job id.")
    return jobs


async def _cancel(sending: asyncio.Task[list[AsyncJob]], console: Console) -> None:
    """Cancel all takes, even if the request is still in flight."""
    try:
        jobs = await sending
        await jobs[0].cancel(takes=len(jobs) > 1)
    except (MusicgenError, ClientError) as error:
        outcome = f"The job could not be cancelled and may still run: {literal(error)}"
    else:
        outcome = f"{' '.join(job.id for job in jobs)} cancelled"
    with suppress(OSError):  # after SIGHUP the terminal may be gone
        console.print(outcome)


async def _follow(job: AsyncJob, console: Console, label: str = "") -> Event:
    """Show events until the terminal one and return it, however long the gateway stays away.

    Args:
        job: the take.
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

        def on_reconnect(error: ClientError) -> None:
            progress.update(task, description=f"{label}The gateway is unreachable; reconnecting")

        async with aclosing(job.events(patience=math.inf, on_reconnect=on_reconnect)) as events:
            async for event in events:
                said = await _why_queued(job, event) if event.status is JobStatus.QUEUED else event.message
                progress.update(task, completed=event.progress, description=f"{label}{plain(said)}")
    return event


async def _why_queued(job: AsyncJob, event: Event) -> str:
    """The status message, which has the queue position; events do not."""
    try:
        return (await job.status()).message
    except ClientError:
        return event.message
