"""`musicgen up`: from nothing to a URL, and back to nothing at Ctrl-C."""

import asyncio
import signal
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from deploy.stack.data_folder import check_writable, lock_data_folder, stop_leftovers
from deploy.stack.local_stack import LocalStack, StackOptions
from deploy.stack.supervisor import Supervisor
from deploy.terminal import literal
from shared.lifecycle import ONE_SIGNAL, end
from shared.version import VERSION


async def up(options: StackOptions, console: Console) -> None:
    """Run the stack until SIGINT or SIGTERM; a second one does not wait for anything.

    Raises:
        MusicgenError: if another `up` holds the directory, a port is taken, or a part does not start.
    """
    with lock_data_folder(options.data_dir):
        check_writable(options.data_dir)
        console.print(f"[bold]TellUrStori MusicGen {VERSION}[/]  [dim]data in {literal(options.data_dir)}[/]")
        for role in stop_leftovers(options.data_dir):
            console.print(f"  [yellow]![/] ended {role}, left over from a run that was killed")
        supervisor = Supervisor(options.data_dir, console)
        with _stop_on_signal(supervisor, console) as stopped:
            try:
                await _start_unless(stopped, LocalStack(options, supervisor, console).start())
                await stopped.wait()
            finally:
                await supervisor.stop()


@contextmanager
def _stop_on_signal(supervisor: Supervisor, console: Console) -> Iterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second one forces the children's end."""
    stopped, first = asyncio.Event(), 0.0
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        nonlocal first
        if stopped.is_set():
            if time.monotonic() - first > ONE_SIGNAL:
                supervisor.force.set()
            return
        first = time.monotonic()
        console.print("\nStopping; running jobs get a moment to finish. Ctrl-C again to force.")
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _start_unless(stopped: asyncio.Event, starting: Coroutine[Any, Any, None]) -> None:
    """Start everything, but let a Ctrl-C in the middle of it have its way."""
    start, stop = asyncio.create_task(starting), asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            await start
    finally:
        await end((start, stop))
