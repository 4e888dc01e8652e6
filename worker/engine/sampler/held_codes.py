"""Keeps the given codes of a piece, so that the model composes only the rest, and rates how well the given ones follow.

The model samples them like all others, but each has one choice. So it hears them in their place, and they end in its
context bit for bit.
"""

import torch
from torch import Tensor

from worker.engine.sampler.instruments import Stream

COMPOSED = -1


def no_held_codes() -> tuple[Tensor, Tensor]:
    """`held` and `counted` of `CodeLimits` for a piece that the model composes as a whole."""
    return torch.zeros(len(Stream), 0, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)


class HeldCodes:
    """Part of `ScoreGrammar`. The state has one extra slot for scratch. Frames count from the piece's beginning."""

    def __init__(self, slots: int, device: torch.device, longest: int) -> None:
        """Begin without requests; `longest` is the number of frames of the longest piece."""
        # One more frame, which is never given.
        shape = (slots + 1, len(Stream), longest + 1)
        self._codes = torch.full(shape, COMPOSED, dtype=torch.int16, device=device)
        # Each stream's next frame: streams are sampled with different delays.
        self._frame = torch.zeros(shape[:2], dtype=torch.int64, device=device)
        self._streams = torch.arange(len(Stream), device=device)
        self._counted = torch.zeros(slots + 1, 2, dtype=torch.int64, device=device)
        self._present = torch.zeros(shape[:2], device=device)
        self._sum = torch.zeros(slots + 1, device=device)
        self._count = torch.zeros_like(self._sum)

    def begin(self, slot: int, held: Tensor, counted: Tensor) -> None:
        """Reset a slot for a new request; see `CodeLimits`."""
        self._codes[slot] = COMPOSED
        self._codes[slot, :, : held.shape[1]] = held.to(self._codes.device, self._codes.dtype)
        self._counted[slot] = counted.to(self._counted.device)
        self._frame[slot] = 0
        self._sum[slot] = self._count[slot] = 0

    def rate(self, slots: Tensor, logits: Tensor) -> None:
        """Note the log-likelihood of the given codes, before the grammar restricts the logits."""
        codes = self._next(slots).clamp(min=0)[:, :, None]
        self._present[slots] = logits.log_softmax(-1).gather(-1, codes)[:, :, 0]

    def restrict(self, slots: Tensor, logits: Tensor) -> None:
        """Leave nothing but the given codes; see `TokenConstraint.restrict`."""
        codes = self._next(slots)[:, :, None]
        given = torch.full_like(logits, float("-inf")).scatter_(-1, codes.clamp(min=0), 0.0)
        logits.copy_(torch.where(codes == COMPOSED, logits, given))

    def revise(self, slots: Tensor, kept: Tensor) -> Tensor:
        """Advance by a step; returns which of its codes are given: bool of shape [n, 8].

        Args:
            slots: int64 of shape [n].
            kept: see `TokenConstraint.revise`.
        """
        held, frame = self._next(slots) != COMPOSED, self._frame[slots]
        first, end = self._counted[slots].unbind(1)
        counts = held & kept & (frame >= first[:, None]) & (frame < end[:, None])
        self._sum[slots] += torch.where(counts, self._present[slots], 0.0).sum(1)
        self._count[slots] += counts.sum(1)
        self._frame[slots] = frame + kept
        return held

    def likelihood(self, slot: int) -> Tensor:
        """See `TokenConstraint.likelihood`."""
        return self._sum[slot] / self._count[slot].clamp(min=1)

    def _next(self, slots: Tensor) -> Tensor:
        """The next code of each stream: int64 of shape [n, 8]."""
        frame = self._frame[slots].clamp(max=self._codes.shape[2] - 1)
        return self._codes[slots[:, None], self._streams, frame].long()
