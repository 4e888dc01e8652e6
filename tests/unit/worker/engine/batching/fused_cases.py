"""Fused steps in Triton's interpreter beside PyTorch: run with TRITON_INTERPRET=1, which Triton reads at import.

`python -m tests.unit.worker.engine.batching.fused_cases` prints a line for every case and raises at the first error.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from worker.engine.batching import fused_attention
from worker.engine.batching.attention import MaskedAttention
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.fused_model import FusedDecoder
from worker.engine.batching.kv_cache import CONDITIONAL, PARTS, KvCache
from worker.engine.batching.language_model import LanguageModel
from worker.engine.batching.linear import Precision

CPU = torch.device("cpu")
LONGEST = 220


class Case(NamedTuple):
    """A model and a batch. `steps` has the step to predict of each slot; `slots` are those of the batch.

    `programs`: as many as attention is split into at least; a GPU gets 256.
    """

    name: str
    dim: int
    heads: int
    slots: tuple[int, ...]
    steps: tuple[int, ...]
    parts: int = 2
    codebooks: int = 4
    size: int = 40
    text: bool = True
    precision: Precision = "float32"
    tolerance: float = 2e-5
    layers: int = 1
    programs: int = 16
    texts: int = 1


CASES = (
    Case("one user, odd number of heads", dim=40, heads=5, slots=(1,), steps=(1, 150), layers=2, programs=40),
    Case("first step of one user", dim=48, heads=3, slots=(0,), steps=(1,)),
    Case("rows at different positions", dim=48, heads=3, slots=(4, 0, 2), steps=(1, 9, 65, 7, 130)),
    Case("more rows than one block", dim=32, heads=1, slots=tuple(range(9)), steps=tuple(range(1, 145, 16))),
    Case("no guidance", dim=36, heads=3, slots=(0, 1), steps=(64, 66), parts=1),
    Case("stereo, conditions as a prefix", dim=32, heads=2, slots=(1, 0), steps=(20, 3), codebooks=8, text=False),
    Case("negative prompts", dim=48, heads=3, slots=(2, 0), steps=(20, 3, 150), texts=2),
    Case("float16", dim=64, heads=4, slots=(0, 1), steps=(40, 5), precision="float16", tolerance=8e-3),
    Case("bfloat16", dim=64, heads=2, slots=(0,), steps=(70,), precision="bfloat16", tolerance=6e-2),
)


def model(case: Case) -> LanguageModel:
    config = LanguageModelConfig(
        dim=case.dim, heads=case.heads, layers=case.layers, hidden=4 * case.dim, codebooks=case.codebooks,
        codebook_size=case.size, delays=tuple(k // 2 for k in range(case.codebooks)), segment=30.0, text_encoder="t5",
        fuses="cross" if case.text else "prepend",
    )  # fmt: skip
    weights = dict(random_weights(config, torch.Generator().manual_seed(len(case.name))))
    return LanguageModel(config, weights, case.precision, CPU, MaskedAttention(), 600)


def random_weights(config: LanguageModelConfig, source: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    def matrix(outputs: int, inputs: int) -> Tensor:
        weight: Tensor = torch.randn(outputs, inputs, generator=source) * 1.5 * inputs**-0.5
        return weight

    def norm(name: str) -> Iterator[tuple[str, Tensor]]:
        yield f"{name}.weight", 1 + 0.3 * torch.randn(config.dim, generator=source)
        yield f"{name}.bias", 0.3 * torch.randn(config.dim, generator=source)

    for book in range(config.codebooks):
        yield f"emb.{book}.weight", matrix(config.codebook_size + 1, config.dim)
        yield f"linears.{book}.weight", matrix(config.codebook_size, config.dim)
    for index in range(config.layers):
        name = f"transformer.layers.{index}"
        for kind in ("self_attn", "cross_attention")[: 1 + (config.fuses == "cross")]:
            yield f"{name}.{kind}.in_proj_weight", matrix(3 * config.dim, config.dim)
            yield f"{name}.{kind}.out_proj.weight", matrix(config.dim, config.dim)
        yield f"{name}.linear1.weight", matrix(config.hidden, config.dim)
        yield f"{name}.linear2.weight", matrix(config.dim, config.hidden)
        for kind in ("norm1", "norm2", *(["norm_cross"] if config.fuses == "cross" else [])):
            yield from norm(f"{name}.{kind}")
    yield from norm("out_norm")


def fill(decoder: Decoder, case: Case) -> None:
    """Give all slots random pasts, texts, codes and wishes; the same for the same case."""
    source = torch.Generator().manual_seed(7)
    state, cache, sampling = decoder._slots, cache_of(decoder), decoder._sampling
    cache.past.copy_(torch.randn(cache.past.shape, generator=source))
    cache.text.copy_(torch.randn(cache.text.shape, generator=source))
    count = len(case.steps)
    cache.text_lengths[:count] = torch.randint(1, 200, (count, PARTS), generator=source, dtype=torch.int32)
    state.sequence.copy_(torch.randint(0, case.size + 1, state.sequence.shape, generator=source))
    state.position[:count] = torch.tensor(case.steps)
    state.prefix[:count] = torch.arange(count) * 3
    state.frames[:count] = 200
    state.prompt[:count] = torch.tensor([at // 2 for at in case.steps])
    state.steps_before[:count] = torch.arange(count) * 100
    sampling.seed[:count] = torch.randint(-(2**62), 2**62, (count,), generator=source)
    sampling.cfg_scale[:count] = 1.0 + torch.arange(count)
    wishes = [(1.0, 5, 0.0), (0.0, 0, 0.0), (1.3, 0, 0.6), (0.7, 0, 0.0), (1.0, case.size * 2, 0.0)]
    for slot in range(count):
        temperature, top_k, top_p = wishes[slot % len(wishes)]
        sampling.temperature[slot], sampling.top_k[slot], sampling.top_p[slot] = temperature, top_k, top_p


def cache_of(decoder: Decoder) -> KvCache:
    assert isinstance(decoder._cache, KvCache)
    return decoder._cache


def difference(made: Tensor, wanted: Tensor) -> float:
    """Relative to `wanted`."""
    return float((made.float() - wanted.float()).norm() / wanted.float().norm())


def check_logits(case: Case) -> float:
    """A fused step equals PyTorch's in logits and in what it leaves in the cache; returns the relative error."""
    language_model = model(case)
    exact, fused = (kind(language_model, len(case.steps), LONGEST) for kind in (Decoder, FusedDecoder))
    fill(exact, case)
    fill(fused, case)
    slots = torch.tensor(case.slots)
    fused_attention.PROGRAMS = case.programs
    wanted, made = (decoder.logits(slots, case.parts, texts=case.texts) for decoder in (exact, fused))
    error = difference(made, wanted)
    past = difference(cache_of(fused).past, cache_of(exact).past)
    assert made.shape == wanted.shape
    assert error < case.tolerance, f"{case.name}: logits differ by {error}"
    assert past < case.tolerance, f"{case.name}: the cache differs by {past}"
    return error


def check_draw(case: Case) -> None:
    """On the same logits, the kernel draws, stores and advances as PyTorch does; infinities set the flag only there."""
    language_model = model(case)
    exact, fused = (kind(language_model, len(case.steps), LONGEST) for kind in (Decoder, FusedDecoder))
    slots = torch.tensor(case.slots)
    for number in range(2):
        fill(exact, case)
        fill(fused, case)
        shape = (case.parts, len(slots), case.codebooks, case.size)
        logits = 3 * torch.randn(shape, generator=torch.Generator().manual_seed(number))
        logits = logits.round(decimals=1)  # so that there are ties at the limit of top-k
        if number == 1:
            logits[CONDITIONAL, 0, 1, 2] = float("nan")
        exact.draw(slots, logits.clone())
        fused.draw(slots, logits.clone())
        own = slots[1:] if number == 1 else slots
        assert fused._slots.sequence[own].equal(exact._slots.sequence[own]), f"{case.name}: codes differ"
        assert fused._slots.position.equal(exact._slots.position)
        assert fused._overflowed.equal(exact._overflowed)
    assert fused._overflowed.nonzero().flatten().tolist() == [case.slots[0]]


def main() -> None:
    with torch.inference_mode():
        for case in CASES:
            error = check_logits(case)
            check_draw(case)
            print(f"{case.name}: {error:.1e}", flush=True)


if __name__ == "__main__":
    main()
