"""Being told to stop, and ending what runs in the background."""

import asyncio
import signal
from collections.abc import Iterable
from typing import Any

# A signal to a process group arrives twice under `uv run`, which passes it on: that is one wish to stop.
ONE_SIGNAL = 0.5


async def stop_signal() -> None:
    """Return at the first SIGTERM or SIGINT. A second one, a while later, ends the process as it always would."""
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
    """Cancel tasks until they have ended, whatever they end with.

    Once is not enough: `asyncio.wait_for`, which nats-py uses, swallows a cancellation that arrives together
    with its result (fixed in Python 3.12).
    """
    while pending := {task for task in tasks if not task.done()}:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)
