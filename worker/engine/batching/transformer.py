"""The interface of the language model: in PyTorch on any device, or native on a CPU."""

from typing import Any, Protocol

import torch
from torch import Tensor

from worker.engine.batching.attention import StepRows
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.kv_cache import CONDITIONAL


class SlotCache(Protocol):
    """The keys and values of all slots, in the model's own layout."""

    def begin(self, slot: int) -> None:
        """A request begins in this slot: it must not be affected by what earlier ones left, not even by NaN."""
        ...

    def set_text(self, slot: int, projected: Tensor, part: int = CONDITIONAL) -> None:
        """Store the projected text of one row: shape [layers, 2, heads, tokens, head_dim]."""
        ...


class Transformer(Protocol):
    """The model on one device. `prefill` processes known positions, `step` one new position per slot.

    A cache is one that the same model made.
    """

    @property
    def config(self) -> LanguageModelConfig: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def needs_host(self) -> bool:
        """Whether a step needs `StepRows.host`, which rules out CUDA graphs."""
        ...

    def project_text(self, text: Tensor) -> Tensor:
        """Project a text to the keys and values of every layer, once per request.

        Takes [tokens, dim]; returns [layers, 2, heads, tokens, head_dim]. Safe to call while other threads step.
        """
        ...

    def new_cache(self, slots: int, positions: int) -> SlotCache:
        """A cache for so many slots of so many positions."""
        ...

    def bytes_per_slot(self, positions: int) -> int:
        """Memory that a cache takes for one slot."""
        ...

    def step(self, cache: Any, rows: StepRows, codes: Tensor) -> Tensor:
        """Process one position of each slot.

        Args:
            cache: read up to each slot's position, and written there.
            rows: the slots and their positions.
            codes: int64 of shape [n, codebooks], the inputs at those positions.

        Returns:
            Logits, float32 of shape [parts, n, codebooks, codebook_size].
        """
        ...

    def prefill(self, cache: Any, slot: int, inputs: Tensor, first: int, tokens: int, negative: int = 0) -> None:
        """Fill the cache of one slot for consecutive known positions.

        Args:
            cache: already filled before `first`.
            slot: index of the slot.
            inputs: of shape [parts, length, dim], without positional embeddings.
            first: position of the first input.
            tokens: length of the slot's text.
            negative: length of the unconditional row's text; 0 if it has none.
        """
        ...

    def embed(self, codes: Tensor) -> Tensor:
        """The sum of the codebooks' embeddings: [n, codebooks] → [n, dim]."""
        ...
