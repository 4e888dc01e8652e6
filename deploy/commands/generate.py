"""`musicgen generate`: a progress bar fed by the WebSocket, then the file."""

import asyncio
import os
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deploy.commands.client import answer, connected
from shared.errors import MusicgenError
from shared.messages import UNDECODABLE, Event, JobStatus

CHUNK = 256 * 1024
RECONNECT = 1.0

_decode = msgspec.json.Decoder(Event).decode


async def generate(url: str | None, request: dict[str, Any], output: Path | None) -> None:
    """Send the request, show it being made, and save it. Ctrl-C cancels the job.

    Raises:
        MusicgenError: if it is refused, fails or is cancelled.
    """
    console = Console(stderr=True, highlight=False)
    _check_place(output)
    async with connected(url) as session:
        body = {name: value for name, value in request.items() if value is not None}
        async with session.post("/api/v1/generate", json=body) as response:
            job_id = str((await answer(response))["job_id"])
        console.print(f"[dim]{job_id}[/]")
        try:
            final = await _follow(session, job_id, console)
        except asyncio.CancelledError:
            async with session.delete(f"/api/v1/jobs/{job_id}"):
                console.print(f"{job_id} cancelled")
            raise
        if final.status is not JobStatus.COMPLETED:
            raise MusicgenError(f"{job_id} {final.status.value}: {final.error_message or final.message}")
        file = output or Path(f"{job_id}.wav")
        await _save(session, job_id, file)
        console.print(f"[green]✓[/] {file}  {final.actual_duration:g} s, {final.file_size} bytes")


def _check_place(file: Path | None) -> None:
    """Refuse before the music is made what would fail afterwards."""
    if file is not None and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
        raise MusicgenError(f"{file} cannot be written. Give another place with -o.")


async def _follow(session: aiohttp.ClientSession, job_id: str, console: Console) -> Event:
    """The job's last event; a connection that breaks is opened again where it left off."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Queued", total=1.0)
        while True:
            try:
                async with session.ws_connect(f"/ws?job_id={job_id}", heartbeat=20) as socket:
                    async for message in socket:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            continue
                        event = _event(message.data)
                        waiting = await _why_queued(session, job_id) if event.status is JobStatus.QUEUED else None
                        progress.update(task, completed=event.progress, description=waiting or event.message)
                        if event.status.is_terminal:
                            return event
            except (aiohttp.ClientConnectionError, aiohttp.WSServerHandshakeError):
                progress.update(task, description="The gateway is away; waiting for it")
            await asyncio.sleep(RECONNECT)


async def _why_queued(session: aiohttp.ClientSession, job_id: str) -> str:
    """The status knows the queue, which events do not."""
    async with session.get(f"/api/v1/status/{job_id}") as response:
        return str((await answer(response))["message"])


def _event(frame: str) -> Event:
    try:
        return _decode(frame)
    except UNDECODABLE as error:
        detail = msgspec.json.decode(frame).get("detail", frame)
        raise MusicgenError(f"The gateway says: {detail}") from error


async def _save(session: aiohttp.ClientSession, job_id: str, file: Path) -> None:
    """Stream the audio into `file`, which appears only when it is whole."""
    draft = file.with_name(f".{file.name}.part")
    async with session.get(f"/api/v1/download/{job_id}?proxy=1") as response:
        if response.status != 200:
            await answer(response)
        try:
            with draft.open("wb") as stream:
                async for chunk in response.content.iter_chunked(CHUNK):
                    stream.write(chunk)
            draft.replace(file)
        except OSError as error:
            raise MusicgenError(f"{file} cannot be written: {error.strerror}. Give another place with -o.") from error
