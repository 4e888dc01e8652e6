"""From the device to the callers, in order, and without making the host wait."""

import queue
from collections import deque
from typing import Protocol

import torch
from torch import Tensor

Item = Tensor | Exception | None
OutputQueue = queue.SimpleQueue[Item]

# Steps that the host may be ahead of the device: enough to keep it busy, few enough to stop soon.
STEPS_AHEAD = 2


class OutputTransfer(Protocol):
    """Where chunks leave the loop."""

    def put(self, item: Item, output: OutputQueue) -> None:
        """Hand out a chunk, an end or an error, after all that came before."""
        ...

    def poll(self) -> None:
        """Hand out what has arrived on the host."""
        ...

    def flush(self) -> None:
        """Wait for everything."""
        ...

    def pace(self) -> None:
        """Called after every step: waits while the host is too far ahead."""
        ...


class DirectTransfer:
    """Where a tensor is finished when the call returns."""

    def put(self, item: Item, output: OutputQueue) -> None:
        output.put(item.cpu() if isinstance(item, Tensor) else item)

    def poll(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def pace(self) -> None:
        pass


class CudaTransfer:
    """Copies into pinned memory beside the next steps; an event tells when a copy is complete."""

    def __init__(self) -> None:
        self._pending: deque[tuple[torch.cuda.Event, Item, OutputQueue]] = deque()
        self._steps: deque[torch.cuda.Event] = deque()

    def put(self, item: Item, output: OutputQueue) -> None:
        if isinstance(item, Tensor):
            host = torch.empty(item.shape, dtype=item.dtype, pin_memory=True)
            item = host.copy_(item, non_blocking=True)
        self._pending.append((_event(), item, output))

    def poll(self) -> None:
        while self._pending and self._pending[0][0].query():  # type: ignore[no-untyped-call]
            self._hand_out()

    def flush(self) -> None:
        while self._pending:
            self._pending[0][0].synchronize()
            self._hand_out()

    def pace(self) -> None:
        self._steps.append(_event())
        if len(self._steps) > STEPS_AHEAD:
            self._steps.popleft().synchronize()

    def _hand_out(self) -> None:
        _, item, output = self._pending.popleft()
        output.put(item)


def _event() -> torch.cuda.Event:
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event


def make_transfer(device: torch.device) -> OutputTransfer:
    """The one that fits the device."""
    return CudaTransfer() if device.type == "cuda" else DirectTransfer()
