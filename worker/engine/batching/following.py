"""Follows a request in the running batch, in the thread of the job."""

import queue
from collections.abc import Callable, Iterator
from contextlib import suppress

from worker.engine.batching.loop import RequestHandle
from worker.engine.interface import KeptGenerationError, OnStep, Samples

# Seconds between checks for cancellation while no audio is ready.
POLL_INTERVAL = 0.1


def chunks(handle: RequestHandle, on_step: OnStep) -> Iterator[Samples]:
    """Yield the audio as [frames, channels], calling `on_step` in between."""
    while True:
        on_step(handle.done, handle.total)
        try:
            item = handle.output.get(timeout=POLL_INTERVAL)
        except queue.Empty:
            continue
        if item is None:
            return
        if isinstance(item, Exception):
            raise item
        yield item.numpy().T


def cancellation_check(handle: RequestHandle, on_step: OnStep) -> Callable[[], None]:
    """A callback for `make_outputs` that raises if the job was cancelled; keeping it does not stop the outputs."""

    def check() -> None:
        with suppress(KeptGenerationError):
            on_step(handle.done, handle.total)

    return check
