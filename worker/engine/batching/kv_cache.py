"""Keys and values of all slots, in memory that is taken once and never moves."""

import psutil
import torch
from torch import Tensor

from worker.engine.batching.config import LanguageModelConfig

# A prompt has at most 500 characters, and no character makes more than one token.
TEXT_TOKENS = 512

# With guidance a slot has two rows: with the text, and without it.
CONDITIONAL, PARTS = 0, 2

# Of what is free once the model is there: the rest is for decoding to audio, for texts and for graphs.
SHARE = {"cuda": 0.85, "mps": 0.5, "cpu": 0.6}


def longest_prefix(config: LanguageModelConfig) -> int:
    """Positions that conditions can take before the codes."""
    if config.fuses == "cross":
        return 0
    return TEXT_TOKENS + (config.melody.length if config.melody else 0)


class KvCache:
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
        self._past_views: dict[tuple[int, int, int], tuple[Tensor, Tensor, Tensor]] = {}
        self._text_views: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self.past = torch.empty(past, dtype=dtype, device=device)
        self.text = torch.empty(text, dtype=dtype, device=device)
        # Nobody is ever without any text: attention to nothing is not a number.
        self.text_lengths = torch.ones(slots, dtype=torch.int32, device=device)

    def past_of(self, layer: int, slot: int, parts: int) -> tuple[Tensor, Tensor, Tensor]:
        """One slot's part of `past`, [parts, 2, heads, positions, head_dim], and its keys and its values.

        Views are kept: a step asks for hundreds of them, and making them takes longer than what is done with them.
        """
        views = self._past_views.get((layer, slot, parts))
        if views is None:
            own = self.past[layer, slot, :parts]
            views = self._past_views[layer, slot, parts] = own, own[:, 0], own[:, 1]
        return views

    def text_of(self, layer: int, slot: int) -> tuple[Tensor, Tensor]:
        """One slot's keys and values in `text`, each [1, heads, tokens, head_dim]."""
        views = self._text_views.get((layer, slot))
        if views is None:
            keys, values = self.text[layer, slot]
            views = self._text_views[layer, slot] = keys[None], values[None]
        return views

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


def free_memory(device: torch.device) -> int:
    """Bytes that the device has left for slots."""
    on_gpu = device.type == "cuda"  # Apple's GPUs share the memory of the CPU
    free = torch.cuda.mem_get_info(device)[0] if on_gpu else psutil.virtual_memory().available
    return int(free * SHARE[device.type])


def count_slots(free: int, bytes_per_slot: int, wanted: int) -> int:
    """As many as fit, at most `wanted`. One slot beyond them is scratch.

    Raises:
        MemoryError: if there is no room for a single one.
    """
    slots = min(free // bytes_per_slot - 1, wanted)
    if slots < 1:
        raise MemoryError(f"one slot takes {bytes_per_slot / 2**20:.0f} MB and {free / 2**20:.0f} MB are free for it")
    return slots
