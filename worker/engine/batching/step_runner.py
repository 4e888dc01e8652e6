"""Run a step eagerly, or replay it from a CUDA graph."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from worker.engine.batching.decoder import Decoder
from worker.engine.batching.request import Request
from worker.engine.batching.scheduler import ScheduledRequest

Replay = Callable[[], None]
# Runs the function once and returns what runs the same work again.
Capture = Callable[[Replay], Replay]


class StepRunner(Protocol):
    """Runs one step of a batch, whose requests need the same rows: see `StepRows`."""

    def __call__(self, batch: list[ScheduledRequest[Request]]) -> None: ...


class EagerRunner:
    """Runs the operations directly. The host knows every position, so attention can be limited to it."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._members: list[int] = []
        self._slots = torch.empty(0, dtype=torch.int64)

    def __call__(self, batch: list[ScheduledRequest[Request]]) -> None:
        members = [entry.slot for entry in batch]
        if members != self._members:
            self._members, self._slots = members, torch.tensor(members, device=self._decoder.model.device)
        host = tuple((entry.slot, entry.prefix + entry.position - 1, entry.request.text_tokens) for entry in batch)
        negative = tuple(entry.request.negative_tokens for entry in batch)
        parts, texts = rows_of(batch[0])
        self._decoder.step(self._slots, parts, host, _candidates(batch), texts, negative)


def rows_of(entry: ScheduledRequest[Request]) -> tuple[int, int]:
    """How many rows a request has in a step, and how many of them read a text."""
    return 2 if entry.guided else 1, 2 if entry.request.negative_tokens else 1


def _candidates(batch: list[ScheduledRequest[Request]]) -> int | None:
    """The largest top_k of the batch; None if a request uses top-p or disables top-k."""
    if any(entry.request.top_p > 0 or entry.request.top_k == 0 for entry in batch):
        return None
    return max(entry.request.top_k for entry in batch)


class GraphRunner:
    """Replays one graph per batch size, so that a step costs the host one launch.

    The scratch slot pads a batch to the next size. With a single size, a request's numbers do not depend on the
    number of other requests: matrix products of different shapes round differently.
    """

    def __init__(self, decoder: Decoder, capture: Capture, sizes: list[int]) -> None:
        self._scratch = decoder.scratch
        self._sizes = sizes
        self._inputs: dict[tuple[int, int, int], Tensor] = {}
        self._replays: dict[tuple[int, int, int], Replay] = {}
        self._members: dict[tuple[int, int, int], list[int]] = {}
        # A negative prompt is a text of its own only where texts enter by cross-attention.
        kinds = [(2, 2), (2, 1), (1, 1)] if decoder.model.config.fuses == "cross" else [(2, 1), (1, 1)]
        # Largest first: the smaller ones reuse its memory from the pool.
        for size in reversed(self._sizes):
            for parts, texts in kinds:
                self._capture(decoder, capture, size, parts, texts)

    def __call__(self, batch: list[ScheduledRequest[Request]]) -> None:
        size = next(size for size in self._sizes if size >= len(batch))
        key = (size, *rows_of(batch[0]))
        members = [entry.slot for entry in batch] + [self._scratch] * (size - len(batch))
        if members != self._members.get(key):
            self._members[key] = members
            self._inputs[key].copy_(torch.tensor(members), non_blocking=True)
        self._replays[key]()

    def _capture(self, decoder: Decoder, capture: Capture, size: int, parts: int, texts: int) -> None:
        slots = torch.full((size,), self._scratch, device=decoder.model.device)
        self._inputs[size, parts, texts] = slots
        self._replays[size, parts, texts] = capture(lambda: decoder.step(slots, parts, texts=texts))


def bucket_sizes(slots: int) -> list[int]:
    """The powers of two below the number of slots, and that number."""
    sizes = [1 << power for power in range(slots.bit_length())]
    return sizes if sizes[-1] == slots else [*sizes, slots]


class CudaCapture:
    """Captures CUDA graphs that share one memory pool."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, work: Replay) -> Replay:
        # A warm-up run outside the graph lets libraries choose and load their kernels.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work()
        return graph.replay
