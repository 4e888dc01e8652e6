"""MusicGen's transformer on a CPU in int8 or int4, each step in one call of the native library."""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from worker.engine.batching.attention import StepRows
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.kv_cache import CONDITIONAL, PARTS, TEXT_TOKENS
from worker.engine.batching.language_model import TextProjection, Weights, sinusoid
from worker.engine.kernels.step_model import (
    MAX_ROWS,
    NO_TEXT,
    StepCache,
    StepModel,
    StepShape,
    cache_bytes,
    padded,
)

CPU = torch.device("cpu")


class InInt8(NamedTuple):
    """The matrices of an int4 model that stay in int8: some kinds, as `StepModel.set` names them, and the first layers.

    `bench.quality` tells what each gains. Errors of the first layer pass through all others.
    """

    kinds: Collection[str] = frozenset({"logits"})
    layers: int = 1

    def bits(self, kind: str, layer: int) -> int:
        return 8 if kind in self.kinds or layer < self.layers else 4


class NativeCache:
    """The keys and values of all slots."""

    def __init__(self, shape: StepShape, slots: int) -> None:
        self.memory = StepCache(shape, slots * PARTS, slots * PARTS, TEXT_TOKENS)

    def begin(self, slot: int) -> None:
        """See `SlotCache.begin`: a step reads only what its own request has written."""

    def set_text(self, slot: int, projected: Tensor, part: int = CONDITIONAL) -> None:
        """See `SlotCache.set_text`."""
        self.memory.set_text(slot * PARTS + part, projected.numpy())


class NativeLanguageModel:
    """See `Transformer`. A prefill computes what as many steps would, to the bit."""

    device = CPU
    needs_host = True

    def __init__(
        self,
        config: LanguageModelConfig,
        weights: Weights,
        positions: int,
        threads: int,
        instruction_set: str | None = None,
        *,
        in_int8: InInt8 | None = None,
    ) -> None:
        """Round all weights to int8, or to int4 those that are not `in_int8`."""
        self.config = config
        self._in_int8 = in_int8
        self._shape = step_shape(config, positions, threads)
        self._model = StepModel(self._shape, instruction_set)
        self.instruction_set = self._model.instruction_set
        with ThreadPoolExecutor(threads) as pool:  # rounding takes most of the time
            list(pool.map(self._set, _arrays(config, weights, positions)))
        self.project_text = TextProjection(config, weights, "float32", CPU)

    def _set(self, arrays: Iterable[tuple[str, int, Tensor]]) -> None:
        for kind, layer, tensor in arrays:
            bits = self._in_int8.bits(kind, layer) if self._in_int8 else 8
            self._model.set(kind, tensor.float().numpy(), layer, bits)

    def new_cache(self, slots: int, positions: int) -> NativeCache:
        """See `Transformer.new_cache`; `positions` are those that the model was made for."""
        if positions != self._shape.positions:
            raise ValueError(f"the model has {self._shape.positions} positions, not {positions}")
        return NativeCache(self._shape, slots)

    def bytes_per_slot(self, positions: int) -> int:
        """See `Transformer.bytes_per_slot`."""
        return cache_bytes(step_shape(self.config, positions), PARTS, PARTS, TEXT_TOKENS)

    def step(self, cache: NativeCache, rows: StepRows, codes: Tensor) -> Tensor:
        """Process one position of each slot: see `Transformer.step`."""
        shape = (rows.parts, len(rows), self.config.codebooks, self.config.codebook_size)
        logits = torch.empty(shape)
        of_rows = [row for part in range(rows.parts) for row in _rows_of_part(rows, part)]
        repeated = codes.repeat(rows.parts, 1).numpy()
        flat = logits.flatten(0, 1).numpy()
        for first in range(0, len(of_rows), MAX_ROWS):
            some = slice(first, first + MAX_ROWS)
            self._model.step(cache.memory, of_rows[some], codes=repeated[some], logits=flat[some])
        return logits

    def prefill(
        self, cache: NativeCache, slot: int, inputs: Tensor, first: int, tokens: int, negative: int = 0
    ) -> None:
        """Fill the cache of one slot for consecutive known positions: see `Transformer.prefill`."""
        parts, length, _ = inputs.shape
        rows = [
            (slot * PARTS + part, first + at, slot * PARTS + part if has_text else NO_TEXT)
            for part, has_text in enumerate((tokens, negative)[:parts])
            for at in range(length)
        ]
        flat = inputs.flatten(0, 1).contiguous().numpy()
        for start in range(0, len(rows), MAX_ROWS):
            some = slice(start, start + MAX_ROWS)
            self._model.step(cache.memory, rows[some], inputs=flat[some])

    def embed(self, codes: Tensor) -> Tensor:
        """The sum of the codebooks' embeddings in the order of a step: [n, codebooks] → [n, dim]."""
        return torch.from_numpy(self._model.embed(codes.numpy()))


def step_shape(config: LanguageModelConfig, positions: int, threads: int = 1) -> StepShape:
    """The library's description of the model. More threads than heads would have nothing to do."""
    return StepShape(
        dim=config.dim,
        heads=config.heads,
        layers=config.layers,
        hidden=config.hidden,
        codebooks=config.codebooks,
        codebook_size=config.codebook_size,
        positions=positions,
        cross=config.fuses == "cross",
        threads=min(threads, config.heads),
    )


def _rows_of_part(rows: StepRows, part: int) -> Iterator[tuple[int, int, int]]:
    for slot, position, tokens in rows.host:
        row, has_text = slot * PARTS + part, tokens and part < rows.texts
        yield row, position, row if has_text else NO_TEXT


def _arrays(
    config: LanguageModelConfig, weights: Weights, positions: int
) -> Iterator[Iterator[tuple[str, int, Tensor]]]:
    """(kind, layer, tensor) of everything that the library needs, by layer."""
    for index in range(config.layers):
        yield _layer(config, weights, index)
    yield _ends(config, weights, positions)


def _layer(config: LanguageModelConfig, weights: Weights, index: int) -> Iterator[tuple[str, int, Tensor]]:
    name = f"transformer.layers.{index}"
    yield "norm_past", index, _norm(weights, f"{name}.norm1")
    yield "past_in", index, _by_head(weights[f"{name}.self_attn.in_proj_weight"], 3, config.heads)
    yield "past_out", index, weights[f"{name}.self_attn.out_proj.weight"]
    if config.fuses == "cross":
        query = weights[f"{name}.cross_attention.in_proj_weight"][: config.dim]
        yield "norm_text", index, _norm(weights, f"{name}.norm_cross")
        yield "text_query", index, _by_head(query, 1, config.heads)
        yield "text_out", index, weights[f"{name}.cross_attention.out_proj.weight"]
    yield "norm_forward", index, _norm(weights, f"{name}.norm2")
    yield "forward_in", index, weights[f"{name}.linear1.weight"]
    yield "forward_out", index, weights[f"{name}.linear2.weight"]


def _ends(config: LanguageModelConfig, weights: Weights, positions: int) -> Iterator[tuple[str, int, Tensor]]:
    books = range(config.codebooks)
    yield "norm_out", 0, _norm(weights, "out_norm")
    yield "logits", 0, torch.cat([weights[f"linears.{k}.weight"] for k in books])
    yield "embedding", 0, torch.cat([weights[f"emb.{k}.weight"] for k in books])
    yield "sinusoid", 0, sinusoid(positions, config.dim, config.max_period)


def _norm(weights: Weights, name: str) -> Tensor:
    return torch.stack([weights[f"{name}.weight"], weights[f"{name}.bias"]])


def _by_head(weight: Tensor, parts: int, heads: int) -> Tensor:
    """[parts × heads × head_dim, in] → [heads, parts × head_dim with padding, in]."""
    by_head = weight.view(parts, heads, -1, weight.shape[1]).transpose(0, 1).flatten(1, 2)
    return torch.nn.functional.pad(by_head, (0, 0, 0, padded(by_head.shape[1]) - by_head.shape[1])).contiguous()
