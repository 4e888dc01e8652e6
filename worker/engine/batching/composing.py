"""Composes several candidates of one piece in the running batch, without making audio of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from worker.engine.batching.following import chunks
from worker.engine.batching.loop import Loop
from worker.engine.batching.request import Request
from worker.engine.interface import OnStep


class Candidate(NamedTuple):
    """What the model composed.

    Attributes:
        codes: int64 of shape [codebooks, frames].
        likelihood: see `TokenConstraint.likelihood`.
    """

    codes: NDArray[np.int64]
    likelihood: float


class CodeCollector:
    """A `CodecStream` that keeps the codes and makes no audio."""

    def __init__(self) -> None:
        self._pushed: list[Tensor] = []

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        self._pushed.append(codes.cpu())
        return torch.zeros(2, 0)

    def codes(self) -> NDArray[np.int64]:
        """All codes: int64 of shape [codebooks, frames]."""
        return torch.cat(self._pushed, 1).numpy()


def compose(loop: Loop, requests: Sequence[Request], on_step: OnStep) -> list[Candidate]:
    """Compose all requests at once, as far as there are slots.

    Raises:
        Exception: as `on_step` does; nothing of the requests is left in the batch.
    """
    collectors = [CodeCollector() for _ in requests]
    handles = [loop.submit(request, stream) for request, stream in zip(requests, collectors, strict=True)]

    def check(done: int, total: int) -> None:
        on_step(sum(handle.done for handle in handles), sum(handle.total for handle in handles))

    try:
        for handle in handles:
            for _ in chunks(handle, check):
                pass
    finally:
        for handle in handles:
            loop.cancel(handle)
    likelihoods = (0.0 if handle.likelihood is None else float(handle.likelihood) for handle in handles)
    return [
        Candidate(collector.codes(), likelihood) for collector, likelihood in zip(collectors, likelihoods, strict=True)
    ]
