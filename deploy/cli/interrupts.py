"""Signals that end a client command, so that it can cancel its job first."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from shared.lifecycle import ONE_SIGNAL

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def cancelled_by_signals() -> Iterator[list[signal.Signals]]:
    """Cancel the current task at Ctrl-C, SIGTERM or SIGHUP; the list then holds the signal.

    A second one, a while later, ends the process as it always would. One that the caller had ignored stays ignored,
    as SIGHUP does under nohup.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    received: list[signal.Signals] = []
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def forget() -> None:
        for number in handled:
            loop.remove_signal_handler(number)

    def stop(number: signal.Signals) -> None:
        if not received:
            received.append(number)
            task.cancel()
            loop.call_later(ONE_SIGNAL, forget)

    for number in handled:
        loop.add_signal_handler(number, stop, number)
    try:
        yield received
    finally:
        forget()
