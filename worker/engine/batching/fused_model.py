"""MusicGen's transformer on a GPU, each step in seven launches per layer, and the decoder that needs no others.

At one user a step is bound by reading the weights once, and by its number of launches: PyTorch's operations need some
forty per layer. The kernels read the slots' state themselves, so a step of small is 170 launches, sampling included.
"""

import torch
from torch import Tensor

from worker.engine.batching.decoder import Decoder, Slots
from worker.engine.batching.fused_attention import launch_attend_past, launch_attend_text, splits
from worker.engine.batching.fused_draw import launch_draw
from worker.engine.batching.fused_linear import launch_linear
from worker.engine.batching.kv_cache import KvCache
from worker.engine.batching.language_model import LanguageModel, Norm
from worker.engine.batching.linear import FloatLinear, Linear


class FusedStep:
    """One step of a `LanguageModel`'s weights, from the slots' codes to the logits.

    The residual stream is float32, also where weights and cache are float16.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def __call__(self, cache: KvCache, slots: Tensor, state: Slots, parts: int, texts: int = 1) -> Tensor:
        """Process one position of each slot.

        Args:
            cache: read up to each slot's position, and written there.
            slots: int64 of shape [n].
            state: of all slots.
            parts: rows per slot: 2 with guidance, else 1.
            texts: rows per slot that have a text.

        Returns:
            Logits, float32 of shape [parts, n, codebooks, codebook_size].
        """
        model, config, n = self._model, self._model.config, len(slots)
        rows = parts * n

        def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(shape, dtype=dtype, device=slots.device)

        x, attended = empty(rows, config.dim), empty(texts * n, config.dim)
        projected = empty(rows, 3 * config.dim, dtype=model.dtype)
        hidden = empty(rows, config.hidden, dtype=model.dtype)
        number = splits(rows, config.heads)
        weighted = empty(rows, config.heads, number, config.head_dim)
        peaks, totals = empty(rows, config.heads, number), empty(rows, config.heads, number)
        at = (slots, state.position, state.prefix)
        codes = (model.embedding, model.sinusoid, state.sequence, *at)
        for index, layer in enumerate(model.layers):
            norm = _norm(layer.norm_past)
            first = codes if index == 0 else None
            launch_linear(x, _weight(layer.past_in), projected, rows, norm=norm, codes=first)
            launch_attend_past(projected, cache.past[index], (weighted, peaks, totals), at, n)
            launch_linear(weighted, _weight(layer.past_out), x, rows, add=True, splits=(peaks, totals))
            if layer.text is not None:
                text = (cache.text[index], cache.text_lengths, attended, slots)
                launch_attend_text(x, _norm(layer.text.norm), _weight(layer.text.query), *text)
                launch_linear(attended, _weight(layer.text.out), x, texts * n, add=True)
            launch_linear(x, _weight(layer.forward_in), hidden, rows, norm=_norm(layer.norm_forward), gelu=True)
            launch_linear(hidden, _weight(layer.forward_out), x, rows, add=True)
        logits = empty(parts, n, config.codebooks, config.codebook_size)
        launch_linear(x, _weight(model.heads), logits, rows, norm=_norm(model.norm_out))
        return logits


class FusedDecoder(Decoder):
    """A `Decoder` of a `LanguageModel` whose steps are fused. With a constraint, the draw is PyTorch's."""

    def logits(
        self,
        slots: Tensor,
        parts: int,
        host: tuple[tuple[int, int, int], ...] = (),
        texts: int = 1,
        negative: tuple[int, ...] = (),
    ) -> Tensor:
        """See `Decoder.logits`."""
        if not isinstance(self.model, LanguageModel) or not isinstance(self._cache, KvCache):
            raise TypeError("fused steps need a model in PyTorch")
        return FusedStep(self.model)(self._cache, slots, self._slots, parts, texts)

    def draw(self, slots: Tensor, logits: Tensor, candidates: int | None = None) -> None:
        """See `Decoder.draw`."""
        if self._constraint is not None:
            super().draw(slots, logits, candidates)
            return
        state = self._slots
        counters = (state.position, state.prompt, state.frames, state.steps_before)
        launch_draw(logits, slots, self._sampling, state.sequence, counters, self._delays, self._overflowed)


def _norm(norm: Norm) -> tuple[Tensor, Tensor]:
    return norm.weight, norm.bias


def _weight(linear: Linear) -> Tensor:
    if not isinstance(linear, FloatLinear):
        raise TypeError("fused steps need weights in float32, float16 or bfloat16")
    return linear.weight
