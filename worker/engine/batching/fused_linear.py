"""A linear layer with what is around it in one launch: a Triton kernel.

Before the product: layer normalization, the embedding of the codes, or the merging of attention over a split past.
After it: GELU, or addition to the residual stream. Sums are in float32. `TRITON_INTERPRET=1` runs it on a CPU, slowly.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

# A tensor core multiplies 16 rows at once; for fewer, plain multiplications read the weights as fast.
FEW_ROWS = 4


@triton.jit  # type: ignore[untyped-decorator]
def _embedded(  # type: ignore[no-untyped-def]
    embedding, sinusoid, sequence, slots, steps, prefix, n, inputs, length, size,
    row, column, inside, BOOKS: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """The sum of the embeddings of the codes before the step to predict, and of the position."""
    slot = tl.load(slots + row % n)
    step = tl.load(steps + slot) - 1
    place = tl.load(prefix + slot) + step
    x = tl.load(sinusoid + place[:, None] * inputs + column[None, :], mask=inside, other=0.0)
    for book in tl.static_range(BOOKS):
        code = tl.load(sequence + (slot * BOOKS + book) * length + step) + book * (size + 1)
        x += tl.load(embedding + code[:, None] * inputs + column[None, :], mask=inside, other=0.0).to(tl.float32)
    return x


@triton.jit  # type: ignore[untyped-decorator]
def _merged(  # type: ignore[no-untyped-def]
    weighted, peaks, totals, inputs, row, column, inside, DIM: tl.constexpr, SPLITS: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Attention over the whole past, of the parts that `attend_past` left (Dao 2023, "Flash-Decoding")."""
    head = row[:, None] * (inputs // DIM) + column[None, :] // DIM
    peak = tl.load(peaks + head * SPLITS, mask=inside, other=0.0)
    for part in tl.static_range(1, SPLITS):
        peak = tl.maximum(peak, tl.load(peaks + head * SPLITS + part, mask=inside, other=0.0))
    total = tl.zeros_like(peak)
    x = tl.zeros_like(peak)
    for part in tl.static_range(SPLITS):
        at = head * SPLITS + part
        share = tl.exp(tl.load(peaks + at, mask=inside, other=0.0) - peak)
        total += share * tl.load(totals + at, mask=inside, other=1.0)
        x += share * tl.load(weighted + at * DIM + column[None, :] % DIM, mask=inside, other=0.0)
    return x / total


@triton.jit  # type: ignore[untyped-decorator]
def _source(  # type: ignore[no-untyped-def]
    x, embedding, sinusoid, sequence, slots, steps, prefix, peaks, totals, n, inputs, length, size,
    row, column, inside,
    SOURCE: tl.constexpr, BOOKS: tl.constexpr, DIM: tl.constexpr, SPLITS: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """A block of the rows to multiply, in float32."""
    if SOURCE == "embedding":
        values = _embedded(
            embedding, sinusoid, sequence, slots, steps, prefix, n, inputs, length, size, row, column, inside, BOOKS
        )
    elif SOURCE == "splits":
        values = _merged(x, peaks, totals, inputs, row, column, inside, DIM, SPLITS)
    else:
        values = tl.load(x + row[:, None] * inputs + column[None, :], mask=inside, other=0.0).to(tl.float32)
    return values


@triton.jit  # type: ignore[untyped-decorator]
def _statistics(  # type: ignore[no-untyped-def]
    x, embedding, sinusoid, sequence, slots, steps, prefix, peaks, totals, n, inputs, length, size,
    row, known_row,
    SOURCE: tl.constexpr, BOOKS: tl.constexpr, DIM: tl.constexpr, SPLITS: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr, INPUTS: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """The mean of each row, and the reciprocal of its standard deviation."""
    mean = tl.zeros([ROWS], tl.float32)
    for first in range(0, inputs, INPUTS):
        column = first + tl.arange(0, INPUTS)
        inside = known_row[:, None] & (column < inputs)[None, :]
        values = _source(
            x, embedding, sinusoid, sequence, slots, steps, prefix, peaks, totals, n, inputs, length, size,
            row, column, inside, SOURCE, BOOKS, DIM, SPLITS,
        )  # fmt: skip
        mean += tl.sum(values, 1)
    mean = mean / inputs
    squares = tl.zeros([ROWS], tl.float32)
    for first in range(0, inputs, INPUTS):
        column = first + tl.arange(0, INPUTS)
        inside = known_row[:, None] & (column < inputs)[None, :]
        values = _source(
            x, embedding, sinusoid, sequence, slots, steps, prefix, peaks, totals, n, inputs, length, size,
            row, column, inside, SOURCE, BOOKS, DIM, SPLITS,
        )  # fmt: skip
        values = tl.where(inside, values - mean[:, None], 0.0)
        squares += tl.sum(values * values, 1)
    return mean, tl.rsqrt(squares / inputs + 1e-5)


@triton.jit  # type: ignore[untyped-decorator]
def _finish(out, total, row, output, stored, outputs, GELU: tl.constexpr, ADD: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: N803
    """Apply GELU (Hendrycks and Gimpel 2016, exact), add to the residual stream, and store."""
    if GELU:
        total = 0.5 * total * (1.0 + tl.erf(total * 0.7071067811865476))
    at = out + row[:, None] * outputs + output[None, :]
    if ADD:
        total += tl.load(at, mask=stored, other=0.0)
    tl.store(at, total.to(out.dtype.element_ty), mask=stored)


@triton.jit  # type: ignore[untyped-decorator]
def linear(  # type: ignore[no-untyped-def]
    x, weight, out, norm_weight, norm_bias,
    embedding, sinusoid, sequence, slots, steps, prefix, peaks, totals,
    rows, n, inputs, outputs, length, size,
    SOURCE: tl.constexpr, NORM: tl.constexpr, GELU: tl.constexpr, ADD: tl.constexpr,  # noqa: N803
    BOOKS: tl.constexpr, DIM: tl.constexpr, SPLITS: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr, OUTPUTS: tl.constexpr, INPUTS: tl.constexpr, DOT: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Program (i, j): outputs of block i for rows of block j, of "rows" or "splits" in `x`, or of the "embedding"."""
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    output = tl.program_id(0) * OUTPUTS + tl.arange(0, OUTPUTS)
    known_row, known_output = row < rows, output < outputs
    row = tl.where(known_row, row, 0)
    if NORM:
        mean, spread = _statistics(
            x, embedding, sinusoid, sequence, slots, steps, prefix, peaks, totals, n, inputs, length, size,
            row, known_row, SOURCE, BOOKS, DIM, SPLITS, ROWS, INPUTS,
        )  # fmt: skip
    total = tl.zeros([ROWS, OUTPUTS], tl.float32)
    for first in range(0, inputs, INPUTS):
        column = first + tl.arange(0, INPUTS)
        known = column < inputs
        inside = known_row[:, None] & known[None, :]
        values = _source(
            x, embedding, sinusoid, sequence, slots, steps, prefix, peaks, totals, n, inputs, length, size,
            row, column, inside, SOURCE, BOOKS, DIM, SPLITS,
        )  # fmt: skip
        if SOURCE == "embedding":  # the residual stream begins here; in this launch no program reads it
            tl.store(x + row[:, None] * inputs + column[None, :], values, mask=inside & (tl.program_id(0) == 0))
        if NORM:
            scale = tl.load(norm_weight + column, mask=known, other=0.0).to(tl.float32)
            shift = tl.load(norm_bias + column, mask=known, other=0.0).to(tl.float32)
            values = (values - mean[:, None]) * spread[:, None] * scale[None, :] + shift[None, :]
        values = tl.where(inside, values, 0.0)
        if DOT:
            place = output[None, :] * inputs + column[:, None]
            w = tl.load(weight + place, mask=known_output[None, :] & known[:, None], other=0.0)
            total = tl.dot(values.to(w.dtype), w, total, input_precision="ieee")
        else:
            place = output[:, None] * inputs + column[None, :]
            w = tl.load(weight + place, mask=known_output[:, None] & known[None, :], other=0.0).to(tl.float32)
            total += tl.sum(values[:, None, :] * w[None, :, :], 2)
    _finish(out, total, row, output, known_row[:, None] & known_output[None, :], outputs, GELU, ADD)


def tiles(rows: int, outputs: int, inputs: int) -> dict[str, Any]:
    """How the rows and outputs of a product are divided among programs, and its warps.

    One user has two rows: each program then reads few outputs, so that there are more programs than multiprocessors.
    """
    if rows <= FEW_ROWS:
        few = {"ROWS": triton.next_power_of_2(rows), "OUTPUTS": 4 if outputs <= 1536 else 8, "DOT": False}
        return few | {"INPUTS": min(512, triton.next_power_of_2(inputs)), "num_warps": 4}
    block = min(64, max(16, triton.next_power_of_2(rows)))
    wide = {"ROWS": block, "OUTPUTS": 16 if block == 16 else 32, "DOT": True}
    most = 128 if block == 16 else 64
    return wide | {"INPUTS": min(most, max(16, triton.next_power_of_2(inputs))), "num_warps": 4}


def launch_linear(
    x: Tensor,
    weight: Tensor,
    out: Tensor,
    rows: int,
    *,
    norm: tuple[Tensor, Tensor] | None = None,
    gelu: bool = False,
    add: bool = False,
    codes: tuple[Tensor, ...] | None = None,
    splits: tuple[Tensor, Tensor] | None = None,
) -> None:
    """Compute `out = x @ weight.T` for the first `rows` rows.

    Args:
        x: [rows, inputs], contiguous; with `splits` what `attend_past` stored.
        weight: [outputs, inputs].
        out: [rows, outputs].
        rows: how many rows.
        norm: weight and bias of a layer normalization of `x`.
        gelu: apply GELU to the result.
        add: add to `out` instead of overwriting it.
        codes: (embedding, sinusoid, sequence, slots, steps, prefix) of which `x` is made first.
        splits: peaks and totals of attention over a split past, each [rows, heads, splits].
    """
    outputs, inputs = weight.shape
    embedding, sinusoid, sequence, slots, steps, prefix = codes or (None,) * 6
    books, length = (1, 0) if sequence is None else sequence.shape[1:]
    peaks, totals = splits or (None, None)
    heads, parts = (1, 1) if peaks is None else peaks.shape[1:]
    norm_weight, norm_bias = norm or (None, None)
    shape = tiles(rows, outputs, inputs)
    if codes:
        shape["num_warps"] = 8  # with four, the rows of five tables do not fit into registers
    grid = (triton.cdiv(outputs, shape["OUTPUTS"]), triton.cdiv(rows, shape["ROWS"]))
    linear[grid](
        x, weight, out, norm_weight, norm_bias, embedding, sinusoid, sequence, slots, steps, prefix, peaks, totals,
        rows, 1 if slots is None else len(slots), inputs, outputs, length,
        0 if embedding is None else len(embedding) // books - 1,
        # Blocks that are read ahead take shared memory: of the embedding five each, of a split past four.
        num_stages=1 if codes else 2 if splits else 3,
        SOURCE="embedding" if codes else "splits" if splits else "rows",
        NORM=norm is not None, GELU=gelu, ADD=add, BOOKS=books, DIM=inputs // heads, SPLITS=parts, **shape,
    )  # fmt: skip
