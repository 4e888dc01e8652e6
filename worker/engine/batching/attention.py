"""Attention of one new position of each slot to what the slot has, and to nothing else."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from worker.engine.batching.kv_cache import KvCache


@dataclass(frozen=True)
class StepRows:
    """The slots of one step, all guided or all not.

    Attributes:
        slots: int64 of shape [n], on the device.
        positions: where each slot's new keys go, int64 of shape [n], on the device.
        parts: rows of each slot.
        host: (slot, position, text tokens) of each on the host; empty where the step is replayed from a graph.
    """

    slots: Tensor
    positions: Tensor
    parts: int
    host: tuple[tuple[int, int, int], ...] = ()

    def __len__(self) -> int:
        return self.slots.shape[0]


class StepAttention(Protocol):
    """Both kinds of attention in a step. Shapes: `query` [parts, n, heads, head_dim], the result the same.

    Attributes:
        reads_unwritten: whether it touches what no slot has written yet, which must then be numbers.
        needs_host: whether it needs `StepRows.host`, and thus cannot be replayed from a graph.
    """

    reads_unwritten: bool
    needs_host: bool

    def to_past(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor, new: Tensor) -> Tensor:
        """Store `new`, keys and values of shape [parts, n, 2, heads, head_dim]; then attend to all up to them."""
        ...

    def to_text(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor) -> Tensor:
        """Attend to the text; one part."""
        ...


class PerSlotAttention:
    """For a CPU: one call for each slot, over exactly what it has.

    Sums run over the same numbers in the same order whoever else is in the batch.
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
        for index, (slot, _, tokens) in enumerate(rows.host):
            keys, values = cache.text_of(layer, slot)
            found.append(_attend(query[:, index], keys.narrow(2, 0, tokens), values.narrow(2, 0, tokens)))
        return torch.stack(found, 1)


def _attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return scaled_dot_product_attention(query.unsqueeze(2), keys, values).squeeze(2)


class MaskedAttention:
    """For any device, without a kernel of our own: all slots at once over the whole cache, the rest masked.

    It reads what it then masks: the reference for the kernel, and the path where Triton does not exist.
    """

    reads_unwritten = True
    needs_host = False

    def to_past(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor, new: Tensor) -> Tensor:
        past = cache.past[layer]
        past[rows.slots, : rows.parts, :, :, rows.positions] = new.transpose(0, 1)
        own = past[rows.slots, : rows.parts].transpose(0, 1)
        return _attend_masked(query, own[:, :, 0], own[:, :, 1], rows.positions + 1)

    def to_text(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor) -> Tensor:
        own = cache.text[layer][rows.slots][None]
        return _attend_masked(query, own[:, :, 0], own[:, :, 1], cache.text_lengths[rows.slots])


def _attend_masked(query: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
    there = torch.arange(keys.shape[3], device=keys.device)[None, :] < lengths[:, None]
    parts, n = query.shape[:2]
    out = scaled_dot_product_attention(
        query.flatten(0, 1).unsqueeze(2),
        keys.flatten(0, 1),
        values.flatten(0, 1),
        attn_mask=there.repeat(parts, 1)[:, None, None, :],
    )
    return out.view(parts, n, *query.shape[2:])
