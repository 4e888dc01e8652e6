"""Stop signals, and ending background tasks."""

import asyncio
import signal
from collections.abc import Iterable
from typing import Any

# Seconds within which two signals count as one: under `uv run`, a signal to the process group arrives twice.
ONE_SIGNAL = 0.5


async def stop_signal() -> None:
    """Return at the first SIGTERM or SIGINT. A second one, a moment later, terminates the process as usual."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        if not stopped.is_set():
            stopped.set()
            loop.call_later(ONE_SIGNAL, forget)

    def forget() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await stopped.wait()


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until all have ended, with or without an error.

    One cancellation is not enough: `asyncio.wait_for`, which nats-py uses, swallows one that arrives together with its
    result (fixed in Python 3.12).
    """
    while pending := {task for task in tasks if not task.done()}:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)
