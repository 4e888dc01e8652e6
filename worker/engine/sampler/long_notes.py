"""Lets no single note sound on into a third bar.

The training data has none that is held for more than a bar. A model that has held one for a bar tends to hold it for as
long as it may, which sounds like a stuck key.
"""

import torch
from torch import Tensor

from worker.engine.sampler.codes import FIRST, NOTHING, STOP
from worker.engine.sampler.instruments import NOTE_STREAMS


class LongNoteLimiter:
    """Part of `ScoreGrammar`. The state has one extra slot for scratch."""

    def __init__(self, slots: int, device: torch.device) -> None:
        self._streams = torch.tensor(NOTE_STREAMS, device=device)
        self._frame = torch.zeros(slots + 1, len(NOTE_STREAMS), dtype=torch.int64, device=device)
        # Steps that each stream's note has sounded; 0 is silence.
        self._sounded = torch.zeros_like(self._frame)

    def begin(self, slot: int) -> None:
        """Reset a slot for a new request."""
        self._frame[slot] = self._sounded[slot] = 0

    def restrict(self, slots: Tensor, logits: Tensor, steps: Tensor) -> None:
        """Another note begins with the bar after one of a bar or more; see `Grammar.restrict`."""
        begins = self._frame[slots] % steps[:, None] == 0
        due = begins & (self._sounded[slots] >= steps[:, None])
        idle = logits[:, self._streams, :FIRST]
        logits[:, self._streams, :FIRST] = idle.masked_fill(due[:, :, None], float("-inf"))

    def revise(self, slots: Tensor, codes: Tensor, kept: Tensor) -> None:
        """Advance the streams by a step; see `Grammar.revise` for `codes` and `kept`, here of all streams."""
        own, held = codes[:, self._streams], kept[:, self._streams]
        sounded = self._sounded[slots]
        following = torch.where(own == NOTHING, sounded + (sounded > 0), torch.where(own == STOP, 0, 1))
        self._sounded[slots] = torch.where(held, following, sounded)
        self._frame[slots] += held
