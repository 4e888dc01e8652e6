"""Attention of one position per slot as Triton kernels: to the past in parts, and to the text with its query.

Online softmax over blocks of keys in float32, as in FlashAttention (Dao et al. 2022, algorithm 1). A past is split
among programs, because one user has too few heads to keep a GPU busy; `fused_linear` merges the parts.
"""

import math

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 64
# Programs that keep a large GPU busy, and the most parts of a past.
PROGRAMS, MOST_SPLITS = 256, 16


@triton.jit  # type: ignore[untyped-decorator]
def _attend(  # type: ignore[no-untyped-def]
    query, keys, values, first, stop, highest, total, weighted, column, inside,
    DIM: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Continue an online softmax over positions `first` to `stop`."""
    for start in range(first, stop, BLOCK):
        position = start + tl.arange(0, BLOCK)
        known = position < stop
        offset = position[:, None] * DIM + column[None, :]
        mask = known[:, None] & inside[None, :]
        k = tl.load(keys + offset, mask=mask, other=0.0).to(tl.float32)
        scores = tl.where(known, tl.sum(k * query[None, :], 1), float("-inf"))
        new_highest = tl.maximum(highest, tl.max(scores, 0))
        correction = tl.exp(highest - new_highest)
        weights = tl.exp(scores - new_highest)
        v = tl.load(values + offset, mask=mask, other=0.0).to(tl.float32)
        weighted = weighted * correction + tl.sum(v * weights[:, None], 0)
        total = total * correction + tl.sum(weights, 0)
        highest = new_highest
    return highest, total, weighted


@triton.jit  # type: ignore[untyped-decorator]
def attend_past(  # type: ignore[no-untyped-def]
    projected, past, weighted, peaks, totals, slots, steps, prefix,
    n, heads, scale, by_slot, by_part, by_kind, by_head,
    DIM: tl.constexpr, PADDED_DIM: tl.constexpr, SPLITS: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Program (row, head, part) attends to its part of the past.

    The first part stores the new key and value, and begins with them instead of reading them back.
    `projected` is [rows, 3, heads, DIM]; `by_…` are strides of `past`, [slots, parts, 2, heads, positions, DIM].
    """
    row, head, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    slot = tl.load(slots + row % n)
    position = (tl.load(prefix + slot) + tl.load(steps + slot) - 1).to(tl.int32)
    keys = past + slot.to(tl.int64) * by_slot + row // n * by_part + head * by_head
    values = keys + by_kind
    column = tl.arange(0, PADDED_DIM)
    inside = column < DIM
    own = projected + (row * 3 * heads + head) * DIM + column
    query = tl.load(own, mask=inside, other=0.0).to(tl.float32) * scale

    highest = tl.full([], float("-inf"), tl.float32)
    total = tl.full([], 0.0, tl.float32)
    value = tl.zeros([PADDED_DIM], tl.float32)
    if part == 0:
        new_key = tl.load(own + heads * DIM, mask=inside, other=0.0)
        new_value = tl.load(own + 2 * heads * DIM, mask=inside, other=0.0)
        tl.store(keys + position * DIM + column, new_key, mask=inside)
        tl.store(values + position * DIM + column, new_value, mask=inside)
        highest = tl.sum(new_key.to(tl.float32) * query, 0)
        total = tl.full([], 1.0, tl.float32)
        value = new_value.to(tl.float32)
    share = tl.cdiv(tl.cdiv(position, SPLITS), BLOCK) * BLOCK
    first = tl.minimum(part * share, position)
    stop = tl.minimum(first + share, position)
    highest, total, value = _attend(query, keys, values, first, stop, highest, total, value, column, inside, DIM, BLOCK)
    at = (row * heads + head) * SPLITS + part
    tl.store(peaks + at, highest)
    tl.store(totals + at, total)
    tl.store(weighted + at * DIM + column, value, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def attend_text(  # type: ignore[no-untyped-def]
    x, norm_weight, norm_bias, weight, text, lengths, out, slots,
    n, heads, inputs, scale, by_slot, by_part, by_kind, by_head, lengths_by_slot,
    DIM: tl.constexpr, PADDED_DIM: tl.constexpr, INPUTS: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Program (row, head) normalizes the row, projects it to the head's query, and attends to its slot's text."""
    row, head = tl.program_id(0), tl.program_id(1)
    slot, part = tl.load(slots + row % n), row // n
    mean = 0.0
    for first in range(0, inputs, INPUTS):
        k = first + tl.arange(0, INPUTS)
        mean += tl.sum(tl.load(x + row * inputs + k, mask=k < inputs, other=0.0), 0)
    mean = mean / inputs
    squares = 0.0
    for first in range(0, inputs, INPUTS):
        k = first + tl.arange(0, INPUTS)
        away = tl.where(k < inputs, tl.load(x + row * inputs + k, mask=k < inputs, other=0.0) - mean, 0.0)
        squares += tl.sum(away * away, 0)
    spread = tl.rsqrt(squares / inputs + 1e-5)

    column = tl.arange(0, PADDED_DIM)
    inside = column < DIM
    query = tl.zeros([PADDED_DIM], tl.float32)
    for first in range(0, inputs, INPUTS):
        k = first + tl.arange(0, INPUTS)
        known = k < inputs
        values = (tl.load(x + row * inputs + k, mask=known, other=0.0) - mean) * spread
        values = values * tl.load(norm_weight + k, mask=known, other=0.0).to(tl.float32)
        values += tl.load(norm_bias + k, mask=known, other=0.0).to(tl.float32)
        place = (head * DIM + column)[:, None] * inputs + k[None, :]
        w = tl.load(weight + place, mask=inside[:, None] & known[None, :], other=0.0).to(tl.float32)
        query += tl.sum(w * values[None, :], 1)

    keys = text + slot.to(tl.int64) * by_slot + part * by_part + head * by_head
    length = tl.load(lengths + slot * lengths_by_slot + part).to(tl.int32)
    highest = tl.full([], float("-inf"), tl.float32)
    total = tl.full([], 0.0, tl.float32)
    value = tl.zeros([PADDED_DIM], tl.float32)
    query = query * scale
    _, total, value = _attend(query, keys, keys + by_kind, 0, length, highest, total, value, column, inside, DIM, BLOCK)
    tl.store(out + (row * heads + head) * DIM + column, (value / total).to(out.dtype.element_ty), mask=inside)


def splits(rows: int, heads: int) -> int:
    """Into how many parts the past of each row is split."""
    wanted: int = triton.next_power_of_2(triton.cdiv(PROGRAMS, rows * heads))
    return min(MOST_SPLITS, wanted)


def launch_attend_past(
    projected: Tensor, past: Tensor, parts: tuple[Tensor, Tensor, Tensor], at: tuple[Tensor, Tensor, Tensor], n: int
) -> None:
    """Store the new keys and values of every row, and attend to the past up to and including them.

    Args:
        projected: queries, keys and values, [rows, 3 * heads * head_dim].
        past: one layer of `KvCache.past`.
        parts: the result: weighted values [rows, heads, splits, head_dim], peaks and totals [rows, heads, splits].
        at: the rows' slots, and of every slot the step to predict and the prefix.
        n: rows per part of the batch.
    """
    weighted, peaks, totals = parts
    rows, heads, number, dim = weighted.shape
    by_slot, by_part, by_kind, by_head, *_ = past.stride()
    attend_past[(rows, heads, number)](
        projected, past, weighted, peaks, totals, *at, n, heads, 1 / math.sqrt(dim), by_slot, by_part, by_kind, by_head,
        DIM=dim, PADDED_DIM=triton.next_power_of_2(dim), SPLITS=number, BLOCK=BLOCK, num_warps=4,
    )  # fmt: skip


def launch_attend_text(
    x: Tensor, norm: tuple[Tensor, Tensor], weight: Tensor, text: Tensor, lengths: Tensor, out: Tensor, slots: Tensor
) -> None:
    """Cross-attention of the rows with text, without the projection of its output.

    Args:
        x: the residual stream, [rows, dim]; the first rows have text, as many as `out` has.
        norm: weight and bias of the layer normalization.
        weight: of the query's projection, [dim, dim].
        text: one layer of `KvCache.text`.
        lengths: tokens by slot and part.
        out: [n or 2 n, dim].
        slots: int64 of shape [n].
    """
    by_slot, by_part, by_kind, by_head, *_ = text.stride()
    *_, heads, _, dim = text.shape
    inputs = weight.shape[1]
    attend_text[(len(out), heads)](
        x, *norm, weight, text, lengths, out, slots, len(slots), heads, inputs, 1 / math.sqrt(dim),
        by_slot, by_part, by_kind, by_head, lengths.stride(0),
        DIM=dim, PADDED_DIM=triton.next_power_of_2(dim), INPUTS=min(128, triton.next_power_of_2(inputs)), BLOCK=BLOCK,
        num_warps=4,
    )  # fmt: skip
