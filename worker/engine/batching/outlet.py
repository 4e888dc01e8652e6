"""From the device to the callers, in order, and without making the host wait."""

import queue
from collections import deque
from typing import Protocol

import torch
from torch import Tensor

Item = Tensor | Exception | None
Outcome = queue.SimpleQueue[Item]

# Steps that the host may be ahead of the device: enough to keep it busy, few enough to stop soon.
STEPS_AHEAD = 2


class Outlet(Protocol):
    """Where chunks leave the loop."""

    def put(self, item: Item, outcome: Outcome) -> None:
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


class DirectOutlet:
    """Where a tensor is finished when the call returns."""

    def put(self, item: Item, outcome: Outcome) -> None:
        outcome.put(item.cpu() if isinstance(item, Tensor) else item)

    def poll(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def pace(self) -> None:
        pass


class CudaOutlet:
    """Copies into pinned memory beside the next steps; an event tells when a copy is complete."""

    def __init__(self) -> None:
        self._pending: deque[tuple[torch.cuda.Event, Item, Outcome]] = deque()
        self._steps: deque[torch.cuda.Event] = deque()

    def put(self, item: Item, outcome: Outcome) -> None:
        if isinstance(item, Tensor):
            host = torch.empty(item.shape, dtype=item.dtype, pin_memory=True)
            item = host.copy_(item, non_blocking=True)
        self._pending.append((_event(), item, outcome))

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
        _, item, outcome = self._pending.popleft()
        outcome.put(item)


def _event() -> torch.cuda.Event:
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event


def make_outlet(device: torch.device) -> Outlet:
    """The one that fits the device."""
    return CudaOutlet() if device.type == "cuda" else DirectOutlet()
