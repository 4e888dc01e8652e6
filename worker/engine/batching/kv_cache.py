"""Keys and values of all slots in statically allocated memory, and how many slots fit."""

import psutil
import torch
from torch import Tensor

from worker.engine.batching.config import LanguageModelConfig

# A prompt has at most 500 characters, and a character makes at most one token.
TEXT_TOKENS = 512

# With guidance a slot has two rows: conditional (with the text) and unconditional.
CONDITIONAL, PARTS = 0, 2

# Share of the memory that is free after loading the model. The rest is for the codec, texts and CUDA graphs.
SHARE = {"cuda": 0.85, "mps": 0.5, "cpu": 0.6}


def longest_prefix(config: LanguageModelConfig) -> int:
    """The most positions that conditions take before the codes."""
    if config.fuses == "cross":
        return 0
    return TEXT_TOKENS + (config.melody.length if config.melody else 0)


class KvCache:
    """The static key-value cache.

    Attributes:
        past: of self-attention, shape [layers, slots, parts, 2, heads, positions, head_dim].
        text: of cross-attention, shape [layers, slots, parts, 2, heads, tokens, head_dim]. The unconditional part is
            used by a negative prompt only.
        text_lengths: tokens in `text`, int32 of shape [slots, parts].
    """

    def __init__(
        self,
        config: LanguageModelConfig,
        slots: int,
        positions: int,
        dtype: torch.dtype,
        device: torch.device,
        *,
        clears: bool = False,
    ) -> None:
        """Allocate it. With `clears` it is zero, and so is a slot again when a request begins in it."""
        past = (config.layers, slots, PARTS, 2, config.heads, positions, config.head_dim)
        text = (config.layers, slots, PARTS, 2, config.heads, TEXT_TOKENS, config.head_dim)
        self._past_views: dict[tuple[int, int, int], tuple[Tensor, Tensor, Tensor]] = {}
        self._text_views: dict[tuple[int, int, int], tuple[Tensor, Tensor]] = {}
        self._clears = clears
        # On a CPU zeros also commit all of the memory.
        allocate = torch.zeros if clears else torch.empty
        self.past = allocate(past, dtype=dtype, device=device)
        self.text = allocate(text, dtype=dtype, device=device)
        # At least one text token per row: attention over no keys is NaN.
        self.text_lengths = torch.ones(slots, PARTS, dtype=torch.int32, device=device)

    def past_of(self, layer: int, slot: int, parts: int) -> tuple[Tensor, Tensor, Tensor]:
        """One slot's part of `past`, [parts, 2, heads, positions, head_dim], then its keys and its values.

        Views are cached: a step needs hundreds, and creating one takes longer than using it.
        """
        views = self._past_views.get((layer, slot, parts))
        if views is None:
            own = self.past[layer, slot, :parts]
            views = self._past_views[layer, slot, parts] = own, own[:, 0], own[:, 1]
        return views

    def text_of(self, layer: int, slot: int, part: int) -> tuple[Tensor, Tensor]:
        """One row's keys and values in `text`, each [1, heads, tokens, head_dim]."""
        views = self._text_views.get((layer, slot, part))
        if views is None:
            keys, values = self.text[layer, slot, part]
            views = self._text_views[layer, slot, part] = keys[None], values[None]
        return views

    def begin(self, slot: int) -> None:
        """See `SlotCache.begin`."""
        if self._clears:
            self.past[:, slot].zero_()
            self.text[:, slot].zero_()

    @staticmethod
    def bytes_per_slot(config: LanguageModelConfig, positions: int, dtype: torch.dtype) -> int:
        """Memory of one slot."""
        return 2 * config.layers * config.dim * dtype.itemsize * PARTS * (positions + TEXT_TOKENS)

    def set_text(self, slot: int, projected: Tensor, part: int = CONDITIONAL) -> None:
        """See `SlotCache.set_text`."""
        tokens = projected.shape[3]
        self.text[:, slot, part, :, :, :tokens] = projected
        self.text_lengths[slot, part] = tokens


def free_memory(device: torch.device) -> int:
    """Bytes available for slots on the device."""
    on_gpu = device.type == "cuda"  # Apple GPUs share the CPU's memory
    free = torch.cuda.mem_get_info(device)[0] if on_gpu else psutil.virtual_memory().available
    return int(free * SHARE[device.type])


def count_slots(free: int, bytes_per_slot: int, wanted: int) -> int:
    """The number of slots that fit, at most `wanted`, with room for the scratch slot.

    Raises:
        MemoryError: if not even one slot fits.
    """
    slots = min(free // bytes_per_slot - 1, wanted)
    if slots < 1:
        raise MemoryError(f"one slot takes {bytes_per_slot / 2**20:.0f} MB and {free / 2**20:.0f} MB are free for it")
    return slots
