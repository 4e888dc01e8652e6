"""How a step is run: as it is, or replayed from a graph that was captured once."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from worker.engine.batching.decoder import Decoder
from worker.engine.batching.request import Request
from worker.engine.batching.scheduler import Run

Replay = Callable[[], None]
# Runs the function once and returns what runs the same work again.
Capture = Callable[[Replay], Replay]


class Steps(Protocol):
    """Runs one step of all `runs`, which are all guided or all not."""

    def __call__(self, runs: list[Run[Request]]) -> None: ...


class EagerSteps:
    """As it is. The host knows every position, so that attention can be cut to it."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._members: list[int] = []
        self._slots = torch.empty(0, dtype=torch.int64)

    def __call__(self, runs: list[Run[Request]]) -> None:
        members = [run.slot for run in runs]
        if members != self._members:
            self._members, self._slots = members, torch.tensor(members, device=self._decoder.model.device)
        host = tuple((run.slot, run.prefix + run.position - 1, run.request.text_tokens) for run in runs)
        self._decoder.step(self._slots, 2 if runs[0].guided else 1, host, _candidates(runs))


def _candidates(runs: list[Run[Request]]) -> int | None:
    """How many of the likeliest codes sampling must look at; None for all of them."""
    if any(run.request.top_p > 0 or run.request.top_k == 0 for run in runs):
        return None
    return max(run.request.top_k for run in runs)


class GraphedSteps:
    """Replayed from one graph for each size of the batch, so that a step costs the host one launch.

    A batch that lies between two sizes is filled up with the scratch slot. With a single size, a request's numbers
    do not depend on how many others there are: matrix products of other shapes are rounded otherwise.
    """

    def __init__(self, decoder: Decoder, capture: Capture, sizes: list[int]) -> None:
        self._scratch = decoder.scratch
        self._sizes = sizes
        self._inputs: dict[tuple[int, int], Tensor] = {}
        self._replays: dict[tuple[int, int], Replay] = {}
        self._members: dict[tuple[int, int], list[int]] = {}
        # Largest first: the smaller ones find their memory in the pool.
        for size in reversed(self._sizes):
            for parts in (2, 1):
                self._capture(decoder, capture, size, parts)

    def __call__(self, runs: list[Run[Request]]) -> None:
        size = next(size for size in self._sizes if size >= len(runs))
        key = (size, 2 if runs[0].guided else 1)
        members = [run.slot for run in runs] + [self._scratch] * (size - len(runs))
        if members != self._members.get(key):
            self._members[key] = members
            self._inputs[key].copy_(torch.tensor(members), non_blocking=True)
        self._replays[key]()

    def _capture(self, decoder: Decoder, capture: Capture, size: int, parts: int) -> None:
        slots = torch.full((size,), self._scratch, device=decoder.model.device)
        self._inputs[size, parts] = slots
        self._replays[size, parts] = capture(lambda: decoder.step(slots, parts))


def bucket_sizes(slots: int) -> list[int]:
    """Powers of two up to the number of slots, and that number itself."""
    sizes = [1 << power for power in range(slots.bit_length())]
    return sizes if sizes[-1] == slots else [*sizes, slots]


class CudaCapture:
    """Captures into CUDA graphs that share one memory pool."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, work: Replay) -> Replay:
        # A first run outside of the graph lets libraries choose and load their kernels.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work()
        return graph.replay
