"""MusicGen's transformer for incremental decoding, with the weights of audiocraft's `LMModel`.

Pre-norm layers of self-attention, cross-attention to the text and a feed-forward block (Copet et al. 2023).
No projection has a bias, so cross-attention contributes exactly zero to an unconditional row without a text, which
skips it. A negative prompt is the text of the unconditional row.
Melody models have no cross-attention; their conditions are a prefix of the codes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

from worker.engine.batching.attention import StepAttention, StepRows
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.kv_cache import KvCache
from worker.engine.batching.linear import DTYPES, Linear, Precision, make_linear

Weights = Mapping[str, Tensor]


class Norm:
    """Layer normalization over the last dimension."""

    def __init__(self, weights: Weights, name: str, dtype: torch.dtype, device: torch.device) -> None:
        self.weight = weights[f"{name}.weight"].to(device, dtype)
        self.bias = weights[f"{name}.bias"].to(device, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class CrossAttention:
    """Cross-attention to the text, whose keys and values `TextProjection` makes."""

    def __init__(self, weights: Weights, name: str, precision: Precision, device: torch.device) -> None:
        projections = weights[f"{name}.cross_attention.in_proj_weight"]
        self.norm = Norm(weights, f"{name}.norm_cross", DTYPES[precision], device)
        self.query = make_linear(projections[: projections.shape[1]], precision, device)
        self.out = make_linear(weights[f"{name}.cross_attention.out_proj.weight"], precision, device)


class TextProjection:
    """Projects a text to the keys and values of every layer, once per request, so int8 would gain nothing.

    Weights stay as short as the checkpoint has them, and are extended when they are used: they are large and rarely
    needed. Safe to call while other threads step.
    """

    def __init__(
        self, config: LanguageModelConfig, weights: Weights, precision: Precision, device: torch.device
    ) -> None:
        self._config, self._device = config, device
        self._dtype = DTYPES[precision]
        names = [f"transformer.layers.{index}.cross_attention.in_proj_weight" for index in range(config.layers)]
        self._layers = [self._keep(weights[name][config.dim :]) for name in names if name in weights]

    def _keep(self, weight: Tensor) -> Tensor:
        dtype = min(weight.dtype, self._dtype, key=lambda each: each.itemsize)
        # A view would keep the whole file of the checkpoint in memory.
        return weight.to(self._device, dtype, copy=True)

    def __call__(self, text: Tensor) -> Tensor:
        """Take [tokens, dim]; return [layers, 2, heads, tokens, head_dim]."""
        config, text = self._config, text.to(self._device, self._dtype)
        shape = (len(text), 2, config.heads, config.head_dim)
        projected = (linear(text, weight.to(self._dtype)) for weight in self._layers)
        return torch.stack([each.view(shape).permute(1, 2, 0, 3) for each in projected])


class DecoderLayer:
    """The weights of one transformer layer. `text` is None if conditions are a prefix of the codes."""

    def __init__(self, weights: Weights, name: str, precision: Precision, device: torch.device) -> None:
        dtype = DTYPES[precision]

        def product(weight: Tensor) -> Linear:
            return make_linear(weight, precision, device)

        self.norm_past = Norm(weights, f"{name}.norm1", dtype, device)
        self.past_in = product(weights[f"{name}.self_attn.in_proj_weight"])
        self.past_out = product(weights[f"{name}.self_attn.out_proj.weight"])
        self.norm_forward = Norm(weights, f"{name}.norm2", dtype, device)
        self.forward_in = product(weights[f"{name}.linear1.weight"])
        self.forward_out = product(weights[f"{name}.linear2.weight"])
        crosses = f"{name}.norm_cross.weight" in weights
        self.text = CrossAttention(weights, name, precision, device) if crosses else None


class LanguageModel:
    """See `Transformer`: the model in PyTorch, on any device."""

    def __init__(
        self,
        config: LanguageModelConfig,
        weights: Weights,
        precision: Precision,
        device: torch.device,
        attention: StepAttention,
        positions: int,
    ) -> None:
        self.config = config
        self.device = device
        self.dtype = DTYPES[precision]
        self.attention = attention
        books = range(config.codebooks)
        self.embedding = torch.cat([weights[f"emb.{k}.weight"] for k in books]).to(device, self.dtype)
        self._first_row = (torch.arange(config.codebooks) * (config.codebook_size + 1)).to(device)
        self.sinusoid = sinusoid(positions, config.dim, config.max_period).to(device)
        self.layers = [
            DecoderLayer(weights, f"transformer.layers.{index}", precision, device) for index in range(config.layers)
        ]
        self.project_text = TextProjection(config, weights, precision, device)
        self.norm_out = Norm(weights, "out_norm", self.dtype, device)
        heads = torch.cat([weights[f"linears.{k}.weight"] for k in books])
        self.heads = make_linear(heads, precision, device)

    @property
    def needs_host(self) -> bool:
        """See `Transformer.needs_host`."""
        return self.attention.needs_host

    def bytes_per_slot(self, positions: int) -> int:
        """See `Transformer.bytes_per_slot`."""
        return KvCache.bytes_per_slot(self.config, positions, self.dtype)

    def new_cache(self, slots: int, positions: int) -> KvCache:
        """See `Transformer.new_cache`."""
        clears = self.attention.reads_unwritten
        return KvCache(self.config, slots, positions, self.dtype, self.device, clears=clears)

    def step(self, cache: KvCache, rows: StepRows, codes: Tensor) -> Tensor:
        """See `Transformer.step`."""
        config, n = self.config, len(rows)
        x = (self.embed(codes) + self.sinusoid[rows.positions]).to(self.dtype).repeat(rows.parts, 1)
        with_text = x[: rows.texts * n]
        for index, layer in enumerate(self.layers):
            projected = layer.past_in(layer.norm_past(x)).view(rows.parts, n, 3, config.heads, config.head_dim)
            past = self.attention.to_past(cache, index, rows, projected[:, :, 0], projected[:, :, 1:])
            x += layer.past_out(past.view(-1, config.dim))
            if layer.text is not None:
                query = layer.text.query(layer.text.norm(with_text))
                query = query.view(rows.texts, n, config.heads, config.head_dim)
                with_text += layer.text.out(self.attention.to_text(cache, index, rows, query).view(-1, config.dim))
            x += layer.forward_out(gelu(layer.forward_in(layer.norm_forward(x))))
        logits = self.heads(self.norm_out(x)).float()
        return logits.view(rows.parts, n, config.codebooks, config.codebook_size)

    def prefill(self, cache: KvCache, slot: int, inputs: Tensor, first: int, tokens: int, negative: int = 0) -> None:
        """See `Transformer.prefill`."""
        parts, length, _ = inputs.shape
        stop = first + length
        x = (inputs + self.sinusoid[first:stop]).to(self.dtype)
        seen = torch.ones(length, stop, dtype=torch.bool, device=self.device).tril(first)
        for index, layer in enumerate(self.layers):
            query, keys, values = self._split(layer.past_in(layer.norm_past(x)), 3)
            own = cache.past[index, slot, :parts]
            own[:, 0, :, first:stop], own[:, 1, :, first:stop] = keys, values
            past = scaled_dot_product_attention(query, own[:, 0, :, :stop], own[:, 1, :, :stop], attn_mask=seen)
            x += layer.past_out(past.transpose(1, 2).flatten(2))
            if layer.text is not None:
                for part, length in enumerate((tokens, negative)[: 1 + bool(negative)]):
                    self._add_text(layer.text, x[part : part + 1], cache.text[index, slot, part, :, None, :, :length])
            x += layer.forward_out(gelu(layer.forward_in(layer.norm_forward(x))))

    def _add_text(self, layer: CrossAttention, x: Tensor, text: Tensor) -> None:
        """Add the cross-attention of a row's positions to `x`; `text` is [2, 1, heads, tokens, head_dim]."""
        (query,) = self._split(layer.query(layer.norm(x)), 1)
        x += layer.out(scaled_dot_product_attention(query, text[0], text[1]).transpose(1, 2).flatten(2))

    def embed(self, codes: Tensor) -> Tensor:
        """See `Transformer.embed`."""
        return self.embedding[codes + self._first_row].sum(1)

    def _split(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """[rows, length, parts × dim] → `parts` tensors of [rows, heads, length, head_dim]."""
        rows, length, _ = projected.shape
        split = projected.view(rows, length, parts, self.config.heads, self.config.head_dim)
        return split.permute(2, 0, 3, 1, 4).unbind(0)


def sinusoid(positions: int, dim: int, max_period: float) -> Tensor:
    """Positional embeddings, float32 of shape [positions, dim]: cosines, then sines, as in audiocraft.

    Always float32: float16 represents positions exactly only up to 2048, bfloat16 only up to 256.
    """
    half = dim // 2
    exponents = torch.arange(half, dtype=torch.float32) / (half - 1)
    phase = torch.arange(positions, dtype=torch.float32)[:, None] / max_period**exponents
    return torch.cat([phase.cos(), phase.sin()], dim=-1)
