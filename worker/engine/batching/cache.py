"""Keys and values of all slots, in memory that is taken once and never moves."""

import torch
from torch import Tensor

from worker.engine.batching.config import LanguageModelConfig

# A prompt has at most 500 characters, and no character makes more than one token.
TEXT_TOKENS = 512

# With guidance a slot has two rows: with the text, and without it.
CONDITIONAL, PARTS = 0, 2


def longest_prefix(config: LanguageModelConfig) -> int:
    """Positions that conditions can take before the codes."""
    if config.fuses == "cross":
        return 0
    return TEXT_TOKENS + (config.melody.length if config.melody else 0)


class Cache:
    """The static key-value cache.

    Attributes:
        past: of self-attention, shape [layers, slots, parts, 2, heads, positions, head_dim].
        text: of cross-attention, of the row with the text alone, shape [layers, slots, 2, heads, tokens, head_dim].
        text_lengths: tokens in `text` by slot, int32.
    """

    def __init__(
        self, config: LanguageModelConfig, slots: int, positions: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        past = (config.layers, slots, PARTS, 2, config.heads, positions, config.head_dim)
        text = (config.layers, slots, 2, config.heads, TEXT_TOKENS, config.head_dim)
        self.past = torch.empty(past, dtype=dtype, device=device)
        self.text = torch.empty(text, dtype=dtype, device=device)
        # Nobody is ever without any text: attention to nothing is not a number.
        self.text_lengths = torch.ones(slots, dtype=torch.int32, device=device)

    def clear(self) -> None:
        """Make everything a number. A CPU takes memory when it is first written: then all of it."""
        self.past.zero_()
        self.text.zero_()

    @staticmethod
    def bytes_per_slot(config: LanguageModelConfig, positions: int, dtype: torch.dtype) -> int:
        """What one slot takes."""
        return 2 * config.layers * config.dim * dtype.itemsize * (PARTS * positions + TEXT_TOKENS)

    def set_text(self, slot: int, projected: Tensor) -> None:
        """Store the projected text of one slot: shape [layers, 2, heads, tokens, head_dim]."""
        tokens = projected.shape[3]
        self.text[:, slot, :, :, :tokens] = projected
        self.text_lengths[slot] = tokens
