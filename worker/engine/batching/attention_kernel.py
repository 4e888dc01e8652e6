"""Attention of one position per slot as a Triton kernel. Each program handles one head of one row.

Online softmax over blocks of keys, as in FlashAttention (Dao et al. 2022, algorithm 1), in float32.
`TRITON_INTERPRET=1` runs it on a CPU, slowly; the tests use that.
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from worker.engine.batching.attention import StepRows
from worker.engine.batching.kv_cache import KvCache

BLOCK = 128


@triton.jit  # type: ignore[untyped-decorator]
def _attend(  # type: ignore[no-untyped-def]
    query, keys, values, out, slots, lengths,
    n, heads, scale, by_slot, by_part, by_head, lengths_by_part, lengths_by_row,
    DIM: tl.constexpr, PADDED_DIM: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Program (i, part, head) computes row i of that part. `by_…` are strides of `keys` and `values`.

    `lengths_by_…` are those of `lengths`.
    """
    row, part, head = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    length = tl.load(lengths + part * lengths_by_part + row * lengths_by_row)
    start = tl.load(slots + row).to(tl.int64) * by_slot + part * by_part + head * by_head
    column = tl.arange(0, PADDED_DIM)
    inside = column < DIM
    place = ((part * n + row) * heads + head) * DIM + column
    q = tl.load(query + place, mask=inside, other=0.0).to(tl.float32) * scale

    highest = float("-inf")
    total = 0.0
    weighted = tl.zeros([PADDED_DIM], tl.float32)
    for first in range(0, length, BLOCK):
        position = first + tl.arange(0, BLOCK)
        known = position < length
        offset = start + position[:, None] * DIM + column[None, :]
        mask = known[:, None] & inside[None, :]
        k = tl.load(keys + offset, mask=mask, other=0.0).to(tl.float32)
        scores = tl.where(known, tl.sum(k * q[None, :], 1), float("-inf"))
        new_highest = tl.maximum(highest, tl.max(scores, 0))
        correction = tl.exp(highest - new_highest)
        weights = tl.exp(scores - new_highest)
        v = tl.load(values + offset, mask=mask, other=0.0).to(tl.float32)
        weighted = weighted * correction + tl.sum(v * weights[:, None], 0)
        total = total * correction + tl.sum(weights, 0)
        highest = new_highest
    tl.store(out + place, weighted / total, mask=inside)


class TritonAttention:
    """`StepAttention` for CUDA. Its launches do not depend on the lengths, so CUDA graphs can replay them."""

    reads_unwritten = False
    needs_host = False

    def to_past(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor, new: Tensor) -> Tensor:
        """See `StepAttention`."""
        past = cache.past[layer]
        past[rows.slots, : rows.parts, :, :, rows.positions] = new.transpose(0, 1)
        return _launch(query, past[:, :, 0], past[:, :, 1], rows.slots, (rows.positions + 1).expand(rows.parts, -1))

    def to_text(self, cache: KvCache, layer: int, rows: StepRows, query: Tensor) -> Tensor:
        """See `StepAttention`."""
        text = cache.text[layer]
        lengths = cache.text_lengths[rows.slots, : rows.texts].T
        return _launch(query, text[:, :, 0], text[:, :, 1], rows.slots, lengths)


def _launch(query: Tensor, keys: Tensor, values: Tensor, slots: Tensor, lengths: Tensor) -> Tensor:
    """`keys` and `values`: views of the cache of shape [slots, parts, heads, positions, head_dim].

    `lengths`: how many of them each row reads, [parts, n].
    """
    query = query.contiguous()
    parts, n, heads, dim = query.shape
    out = torch.empty_like(query)
    by_slot, by_part, by_head, *_ = keys.stride()
    _attend[(n, parts, heads)](
        query, keys, values, out, slots, lengths, n, heads, 1 / math.sqrt(dim), by_slot, by_part, by_head,
        *lengths.stride(), DIM=dim, PADDED_DIM=triton.next_power_of_2(dim), BLOCK=BLOCK,
    )  # fmt: skip
    return out
