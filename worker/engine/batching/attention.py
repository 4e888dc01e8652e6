"""Attention of one new position per slot to that slot's own keys and values."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from worker.engine.batching.kv_cache import KvCache


@dataclass(frozen=True)
class StepRows:
    """The slots of one step. Either all of them use guidance or none does.

    Attributes:
        slots: int64 of shape [n], on the device.
        positions: the position of each slot's new keys, int64 of shape [n], on the device.
        parts: rows per slot: 2 with guidance, else 1.
        host: (slot, position, text tokens) of each slot, on the host; empty when a graph replays the step.
        texts: parts with a text: 2 if the unconditional rows have a negative prompt, else 1.
        negative: text tokens of each slot's unconditional row, on the host; empty if it has none.
    """

    slots: Tensor
    positions: Tensor
    parts: int
    host: tuple[tuple[int, int, int], ...] = ()
    texts: int = 1
    negative: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.slots.shape[0]


class StepAttention(Protocol):
    """Self-attention and cross-attention of a step. `query` and the result: [parts, n, heads, head_dim].

    Attributes:
        reads_unwritten: whether it reads cache entries that the request has not written, with a weight of zero; they
            must then be finite, because zero times NaN is NaN.
        needs_host: whether it needs `StepRows.host`, which rules out CUDA graphs.
    """

    reads_unwritten: bool
    needs_host: bool

    def to_past(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor, new: Tensor) -> Tensor:
        """Store `new`, keys and values of shape [parts, n, 2, heads, head_dim], then attend up to and including it."""
        ...

    def to_text(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor) -> Tensor:
        """Cross-attend to the texts; parts is `rows.texts`."""
        ...


class PerSlotAttention:
    """For CPUs: one call per slot, over exactly the positions it has.

    A slot's sums use the same numbers in the same order whatever else is in the batch.
    """

    reads_unwritten = False
    needs_host = True

    def to_past(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor, new: Tensor) -> Tensor:
        found = []
        for index, (slot, position, _) in enumerate(rows.host):
            own, keys, values = cache.past_of(layer, slot, rows.parts)
            own.select(3, position).copy_(new[:, index])
            stop = position + 1
            found.append(_attend(query[:, index], keys.narrow(2, 0, stop), values.narrow(2, 0, stop)))
        return torch.stack(found, 1)

    def to_text(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor) -> Tensor:
        found = []
        for part, lengths in enumerate(([tokens for *_, tokens in rows.host], rows.negative)[: rows.texts]):
            for index, ((slot, *_), tokens) in enumerate(zip(rows.host, lengths, strict=True)):
                keys, values = cache.text_of(layer, slot, part)
                row = query[part : part + 1, index]
                found.append(_attend(row, keys.narrow(2, 0, tokens), values.narrow(2, 0, tokens)))
        return torch.cat(found).view(query.shape)


def _attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return scaled_dot_product_attention(query.unsqueeze(2), keys, values).squeeze(2)


class MaskedAttention:
    """For any device: all slots at once over the whole cache, with a mask.

    It is the reference for the Triton kernel, and the fallback where Triton is not available.
    """

    reads_unwritten = True
    needs_host = False

    def to_past(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor, new: Tensor) -> Tensor:
        past = cache.past[layer]
        past[rows.slots, : rows.parts, :, :, rows.positions] = new.transpose(0, 1)
        own = past[rows.slots, : rows.parts].transpose(0, 1)
        lengths = (rows.positions + 1).expand(rows.parts, -1)
        return _attend_masked(query, own[:, :, 0], own[:, :, 1], lengths)

    def to_text(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor) -> Tensor:
        own = cache.text[layer][rows.slots, : rows.texts].transpose(0, 1)
        lengths = cache.text_lengths[rows.slots, : rows.texts].T
        return _attend_masked(query, own[:, :, 0], own[:, :, 1], lengths)


def _attend_masked(query: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
    """Attend to the first of `keys` and `values`; `lengths` of shape [parts, n] tells to how many."""
    there = torch.arange(keys.shape[3], device=keys.device) < lengths.reshape(-1, 1)
    parts, n = query.shape[:2]
    out = scaled_dot_product_attention(
        query.flatten(0, 1).unsqueeze(2),
        keys.flatten(0, 1),
        values.flatten(0, 1),
        attn_mask=there[:, None, None, :],
    )
    return out.view(parts, n, *query.shape[2:])
