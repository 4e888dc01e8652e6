"""Everything after the logits in one launch: guidance, the draw, and the slot's next step. A Triton kernel.

It computes what `sampling` and `Decoder` do. The limit below which codes are excluded is found bit by bit, without
sorting: the largest one that enough codes (top-k) or enough mass (top-p) reach.
"""

import triton
import triton.language as tl
from torch import Tensor

from worker.engine.batching.sampling import SamplingState


@triton.jit
def _mix(x):  # type: ignore[no-untyped-def]
    """SplitMix64 (Steele, Lea, Flood 2014)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB
    return x ^ (x >> 31)


@triton.jit
def _gumbel(seed, step, number):  # type: ignore[no-untyped-def]
    """See `sampling.gumbel`."""
    key = _mix(seed.to(tl.uint64, bitcast=True) * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15)
    key = _mix(key + step.to(tl.uint64, bitcast=True))
    random = _mix((key + number.to(tl.uint64)) * 0x9E3779B97F4A7C15)
    uniform = ((random & 0x7FFFFF).to(tl.float32) + 0.5) * 1.1920928955078125e-07
    return -tl.log(-tl.log(uniform))


@triton.jit  # type: ignore[untyped-decorator]
def _kept(value, inside, temperature, top_p, top_k, BOOKS: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: N803
    """Which codes top-p leaves, or top-k where that is off."""
    # Unsigned integers in the order of the logits; 0 is below them all.
    bits = tl.where(value == 0.0, 0.0, value).to(tl.uint32, bitcast=True)
    rank = tl.where(bits >= 0x80000000, bits ^ 0xFFFFFFFF, bits | 0x80000000)
    rank = tl.where(inside, rank, 0)
    most = tl.max(tl.where(inside, value, float("-inf")), 1)
    mass = tl.where(inside, tl.exp((value - most[:, None]) / temperature), 0.0)
    mass = tl.where(top_p > 0.0, mass / tl.sum(mass, 1)[:, None], 1.0)
    enough = tl.where(top_p > 0.0, top_p, top_k.to(tl.float32) - 0.5)
    limit = tl.zeros([BOOKS], tl.uint32)
    for bit in range(32):
        higher = limit | (tl.full([BOOKS], 0x80000000, tl.uint32) >> bit)
        reached = tl.sum(tl.where(rank >= higher[:, None], mass, 0.0), 1)
        limit = tl.where(reached > enough, higher, limit)
    return inside & (rank >= limit[:, None])


@triton.jit  # type: ignore[untyped-decorator]
def draw(  # type: ignore[no-untyped-def]
    logits, slots, temperatures, top_ks, top_ps, scales, seeds,
    sequence, steps, prompts, frames, steps_before, delays, overflowed,
    n, size, length,
    PARTS: tl.constexpr, BOOKS: tl.constexpr, PADDED_BOOKS: tl.constexpr, PADDED_SIZE: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Program i: the slot of row i. `logits` is [PARTS, n, BOOKS, size], the conditional part first."""
    row = tl.program_id(0)
    slot = tl.load(slots + row)
    book, code = tl.arange(0, PADDED_BOOKS), tl.arange(0, PADDED_SIZE)
    inside = (book < BOOKS)[:, None] & (code < size)[None, :]
    at = (row * BOOKS + book)[:, None] * size + code[None, :]
    value = tl.load(logits + at, mask=inside, other=0.0)
    if PARTS == 2:
        plain = tl.load(logits + n * BOOKS * size + at, mask=inside, other=0.0)
        value = plain + (value - plain) * tl.load(scales + slot)
    # NaN is not less than anything.
    finite = tl.min(tl.min((tl.abs(value) < float("inf")).to(tl.int32), 1), 0)
    tl.store(overflowed + slot, (tl.load(overflowed + slot).to(tl.int32) | (1 - finite)).to(tl.int1))

    temperature = tl.load(temperatures + slot)
    greedy = temperature == 0.0
    temperature = tl.where(greedy, 1.0, temperature)
    top_p = tl.load(top_ps + slot)
    top_k = tl.load(top_ks + slot)
    top_k = tl.where((top_k == 0) | (top_k > size), size, top_k)
    kept = _kept(value, inside, temperature, top_p, top_k, PADDED_BOOKS)
    position = tl.load(steps + slot)
    step = tl.load(steps_before + slot) + position
    noise = _gumbel(tl.load(seeds + slot), step, book[:, None] * size + code[None, :])
    score = tl.where(kept, value / temperature + tl.where(greedy, 0.0, noise), float("-inf"))
    drawn = tl.minimum(tl.argmax(score, 1), size - 1)

    frame = position - 1 - tl.load(delays + book, mask=book < BOOKS, other=0)
    own = (book < BOOKS) & (frame >= tl.load(prompts + slot)) & (frame < tl.load(frames + slot))
    tl.store(sequence + (slot * BOOKS + book) * length + position, drawn.to(tl.int64), mask=own)
    tl.store(steps + slot, tl.minimum(position + 1, length - 1))


def launch_draw(
    logits: Tensor,
    slots: Tensor,
    sampling: SamplingState,
    sequence: Tensor,
    counters: tuple[Tensor, Tensor, Tensor, Tensor],
    delays: Tensor,
    overflowed: Tensor,
) -> None:
    """Draw the codes of each slot, store those that were not given, and advance the slots.

    Args:
        logits: float32 of shape [parts, n, codebooks, codebook_size].
        slots: int64 of shape [n].
        sampling: of all slots.
        sequence: `Slots.sequence`.
        counters: `position`, `prompt`, `frames` and `steps_before` of `Slots`.
        delays: of each codebook.
        overflowed: bool of every slot; set where logits are not finite.
    """
    parts, n, books, size = logits.shape
    draw[(n,)](
        logits, slots, sampling.temperature, sampling.top_k, sampling.top_p, sampling.cfg_scale, sampling.seed,
        sequence, *counters, delays, overflowed, n, size, sequence.shape[2],
        PARTS=parts, BOOKS=books, PADDED_BOOKS=triton.next_power_of_2(books),
        PADDED_SIZE=triton.next_power_of_2(size), num_warps=8,
    )  # fmt: skip
