"""`musicgen up`: runs the local stack until Ctrl-C."""

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
    """Run the stack until SIGINT or SIGTERM. A second signal stops it without waiting for running jobs.

    Raises:
        MusicgenError: if another `up` uses the data folder, a port is taken, or a process does not start.
    """
    with lock_data_folder(options.data_dir):
        check_writable(options.data_dir)
        console.print(f"[bold]TellUrStori MusicGen {VERSION}[/]  [dim]data in {literal(options.data_dir)}[/]")
        for role in stop_leftovers(options.data_dir):
            console.print(f"  [yellow]![/] stopped {role}, left running by a previous `up` that was killed")
        supervisor = Supervisor(options.data_dir, console)
        with _stop_on_signal(supervisor, console) as stopped:
            try:
                await _start_unless(stopped, LocalStack(options, supervisor, console).start())
                await stopped.wait()
            finally:
                await supervisor.stop()


@contextmanager
def _stop_on_signal(supervisor: Supervisor, console: Console) -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets. The second signal kills the children."""
    stopped, first = asyncio.Event(), 0.0
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        nonlocal first
        if stopped.is_set():
            if time.monotonic() - first > ONE_SIGNAL:
                supervisor.force.set()
            return
        first = time.monotonic()
        console.print("\nStopping; waiting briefly for running jobs. Press Ctrl-C again to stop at once.")
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _start_unless(stopped: asyncio.Event, starting: Coroutine[Any, Any, None]) -> None:
    """Start everything; abort if `stopped` is set in the meantime."""
    start, stop = asyncio.create_task(starting), asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            await start
    finally:
        await end((start, stop))
