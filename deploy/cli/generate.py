"""`musicgen generate`: sends a request, shows progress from the WebSocket, and saves the audio."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import aiohttp
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deploy.cli.destination import Destination, open_destination
from deploy.cli.gateway_client import REQUEST_TIMEOUT, GatewayTarget, gateway_session, read_json
from deploy.terminal import Terminal, literal, plain
from shared.errors import MusicgenError
from shared.lifecycle import ONE_SIGNAL
from shared.messages import UNDECODABLE, Event, JobStatus

DOWNLOAD_CHUNK = 256 * 1024
RECONNECT_DELAY = 1.0
# A download fails after this many seconds without data.
DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=60)

_decode = msgspec.json.Decoder(Event).decode
CANCEL_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def generate(target: GatewayTarget, request: dict[str, Any], output: str | None) -> int:
    """Send the request, show its progress, and save the audio. Ctrl-C, SIGTERM and SIGHUP cancel the job.

    Returns:
        The exit code: 0, or 128 plus the signal number.

    Raises:
        MusicgenError: if the job is rejected, fails or is cancelled, or its audio cannot be written.
    """
    destination = open_destination(output, request["duration"])
    console = Terminal(stderr=True)
    try:
        with cancelled_by_signals() as received:
            try:
                async with gateway_session(target) as session:
                    await _generate(session, request, destination, console)
            except asyncio.CancelledError:
                if not received:
                    raise
        return 128 + received[0] if received else 0
    finally:
        destination.close()


async def _generate(
    session: aiohttp.ClientSession, request: dict[str, Any], destination: Destination, console: Console
) -> None:
    body = {name: value for name, value in request.items() if value is not None}
    sending = asyncio.create_task(_send(session, body))
    try:
        job_id = await asyncio.shield(sending)
        console.print(f"[dim]{job_id}[/]")
        final = await _follow(session, job_id, console)
    except asyncio.CancelledError:
        await _cancel(session, sending, console)
        raise
    if final.status is not JobStatus.COMPLETED:
        raise MusicgenError(f"{job_id} {final.status.value}: {final.error_message or final.message}")
    written_to = await _save(session, job_id, destination)
    console.print(f"[green]✓[/] {literal(written_to)}  {final.actual_duration:g} s, {final.file_size} bytes")


async def _send(session: aiohttp.ClientSession, body: dict[str, Any]) -> str:
    async with session.post("/api/v1/generate", json=body, timeout=REQUEST_TIMEOUT) as response:
        return str((await read_json(response, "job_id"))["job_id"])


async def _cancel(session: aiohttp.ClientSession, sending: asyncio.Task[str], console: Console) -> None:
    """Cancel the job, even if its request is still in flight."""
    try:
        job_id = await sending
        async with session.delete(f"/api/v1/jobs/{job_id}", timeout=REQUEST_TIMEOUT) as response:
            await read_json(response)
    except (MusicgenError, aiohttp.ClientError, TimeoutError) as error:
        outcome = f"The job could not be cancelled and may still run: {literal(error)}"
    else:
        outcome = f"{job_id} cancelled"
    with suppress(OSError):  # after SIGHUP the terminal may be gone
        console.print(outcome)


async def _follow(session: aiohttp.ClientSession, job_id: str, console: Console) -> Event:
    """Show events until the terminal one and return it. Reconnects when the connection breaks."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Queued", total=1.0)
        while True:
            try:
                async with session.ws_connect(f"/ws?job_id={job_id}", heartbeat=20) as socket:
                    async for message in socket:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            continue
                        event = _event(message.data)
                        waiting = await _why_queued(session, job_id) if event.status is JobStatus.QUEUED else None
                        progress.update(task, completed=event.progress, description=plain(waiting or event.message))
                        if event.status.is_terminal:
                            return event
            except (aiohttp.ClientConnectionError, aiohttp.WSServerHandshakeError):
                progress.update(task, description="The gateway is unreachable; reconnecting")
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


async def _save(session: aiohttp.ClientSession, job_id: str, destination: Destination) -> str:
    """Stream the audio to its destination; return where that is."""
    path = f"/api/v1/download/{job_id}"
    async with session.get(path, params={"proxy": "1"}, timeout=DOWNLOAD_TIMEOUT) as response:
        if response.status != 200:
            await read_json(response)
        available = f"The audio is still available at {response.url.origin()}{path}"
        try:
            async for chunk in response.content.iter_chunked(DOWNLOAD_CHUNK):
                await destination.write(chunk)
            return destination.finish(job_id)
        except aiohttp.ClientPayloadError as error:
            raise MusicgenError(f"The download was interrupted. {available}") from error
        except MusicgenError as error:
            raise MusicgenError(f"{error} {available}") from error


@contextmanager
def cancelled_by_signals() -> Iterator[list[signal.Signals]]:
    """Cancel the current task on Ctrl-C, SIGTERM or SIGHUP, and add the signal to the yielded list.

    A second signal, a moment later, terminates the process as usual. A signal that the caller ignores stays ignored,
    such as SIGHUP under nohup.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    received: list[signal.Signals] = []
    handled = [number for number in CANCEL_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def restore() -> None:
        for number in handled:
            loop.remove_signal_handler(number)

    def on_signal(number: signal.Signals) -> None:
        if not received:
            received.append(number)
            task.cancel()
            loop.call_later(ONE_SIGNAL, restore)

    for number in handled:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield received
    finally:
        restore()
