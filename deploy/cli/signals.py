"""Signals that end a client command in order: it cancels its job and removes its temporary files."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from shared.lifecycle import ONE_SIGNAL

CANCEL_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_signal(work: Coroutine[Any, Any, None]) -> int:
    """Do the work; Ctrl-C, SIGTERM and SIGHUP cancel it.

    Returns:
        The exit code: 0, or 128 plus the signal number.
    """
    with _cancelled_by_signals() as received:
        try:
            await work
        except asyncio.CancelledError:
            if not received:
                raise
    return 128 + received[0] if received else 0


@contextmanager
def _cancelled_by_signals() -> Iterator[list[signal.Signals]]:
    """Cancel the current task on a signal, and add the signal to the yielded list.

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
