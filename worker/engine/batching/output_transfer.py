"""Transfer of audio from the device to the callers, in order, without blocking the host."""

import queue
from collections import deque
from typing import Protocol

import torch
from torch import Tensor

from worker.engine.interface import NonFiniteError

Item = Tensor | Exception | None
OutputQueue = queue.SimpleQueue[Item]

# Steps that the host may be ahead of the device: enough to keep it busy, few enough to cancel quickly.
STEPS_AHEAD = 2

OVERFLOW = (
    "The model's numbers overflowed or were not numbers, so no music can be made of them. "
    "Set MUSICGEN_PRECISION=float32, or check the model's weights."
)


class OutputTransfer(Protocol):
    """Delivers the loop's output to the callers' queues."""

    def put(self, item: Item, output: OutputQueue, overflowed: Tensor | None = None) -> None:
        """Deliver a chunk, the end (None) or an error, after everything before it.

        If `overflowed`, a bool on the device, is true by then, the caller gets a NonFiniteError instead.
        """
        ...

    def poll(self) -> None:
        """Deliver the items whose copies are complete."""
        ...

    def flush(self) -> None:
        """Wait until everything is delivered."""
        ...

    def pace(self) -> None:
        """Wait while the host is too far ahead of the device. Called after every step."""
        ...


class DirectTransfer:
    """For devices whose operations are complete when the call returns."""

    def put(self, item: Item, output: OutputQueue, overflowed: Tensor | None = None) -> None:
        _deliver(item.cpu() if isinstance(item, Tensor) else item, output, overflowed)

    def poll(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def pace(self) -> None:
        pass


class CudaTransfer:
    """Copies into pinned memory in parallel with the next steps; a CUDA event marks each copy's end."""

    def __init__(self) -> None:
        self._pending: deque[tuple[torch.cuda.Event, Item, OutputQueue, Tensor | None]] = deque()
        self._steps: deque[torch.cuda.Event] = deque()

    def put(self, item: Item, output: OutputQueue, overflowed: Tensor | None = None) -> None:
        if isinstance(item, Tensor):
            item = _to_host(item)
        if overflowed is not None:
            overflowed = _to_host(overflowed)
        self._pending.append((_event(), item, output, overflowed))

    def poll(self) -> None:
        while self._pending and self._pending[0][0].query():  # type: ignore[no-untyped-call]
            self._deliver()

    def flush(self) -> None:
        while self._pending:
            self._pending[0][0].synchronize()
            self._deliver()

    def pace(self) -> None:
        self._steps.append(_event())
        if len(self._steps) > STEPS_AHEAD:
            self._steps.popleft().synchronize()

    def _deliver(self) -> None:
        _, item, output, overflowed = self._pending.popleft()
        _deliver(item, output, overflowed)


def _deliver(item: Item, output: OutputQueue, overflowed: Tensor | None) -> None:
    output.put(NonFiniteError(OVERFLOW) if overflowed is not None and overflowed else item)


def _to_host(tensor: Tensor) -> Tensor:
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)


def _event() -> torch.cuda.Event:
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event


def make_transfer(device: torch.device) -> OutputTransfer:
    """The transfer for this device."""
    return CudaTransfer() if device.type == "cuda" else DirectTransfer()
