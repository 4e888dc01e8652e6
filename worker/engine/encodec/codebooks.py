"""Codes become vectors: the sum of the entries that they name, as residual vector quantisation wants it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


class Codebooks:
    """The entries of all codebooks of one channel."""

    def __init__(self, entries: Sequence[Tensor]) -> None:
        """Take the entries of each codebook, float32 of shape [card, dimension]."""
        self.count = len(entries)
        self.card = len(entries[0])
        self._entries = torch.cat(tuple(entries))
        self._first = torch.arange(self.count, device=self._entries.device)[:, None] * self.card

    def dequantise(self, codes: Tensor, channels: int) -> Tensor:
        """The vectors of codes [codebooks × channels, frames] as [channels, frames, dimension].

        Stereo's codebooks alternate: left, right, left and so on (audiocraft's `InterleaveStereoCompressionModel`).
        """
        rows = codes.to(self._entries.device).reshape(self.count, channels, codes.shape[1]).transpose(0, 1)
        return functional.embedding(rows + self._first, self._entries).sum(1)
