"""The language model on the native step, in the running batch."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.tiny import write_tiny
from shared.messages import Recipe
from tests.unit.worker.engine.batching.batch import make_model, native_model, request, result, running_batch
from tests.unit.worker.engine.batching.models import Tiny, random_text
from worker.engine.batching.attention import StepRows
from worker.engine.batching.engine import REVISION, load
from worker.engine.batching.linear import can_int8
from worker.engine.batching.native_model import InInt8, NativeCache
from worker.engine.batching.request import Request
from worker.engine.batching.transformer import Transformer
from worker.engine.interface import EngineSettings, Tuning
from worker.engine.kernels.native_library import instruction_sets

MONO = Tiny()
STEREO = Tiny(codebooks=8, stereo=True, seed=2)
MELODY = Tiny(melody=True, seed=4)
# As deep as MusicGen-small, so that rounding errors accumulate as they do there.
DEEP = Tiny(dim=128, heads=4, layers=24, codebook_size=64, seed=5)


def logits_of(model: Transformer, tiny: Tiny, steps: int = 12) -> Tensor:
    """Logits of every step of two requests on given codes: [steps, parts, 2, codebooks, codebook_size]."""
    cache = model.new_cache(2, 256)
    codes = torch.randint(0, tiny.codebook_size, (steps, 2, tiny.codebooks), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        for slot, tokens in ((0, 6), (1, 9)):
            cache.set_text(slot, model.project_text(random_text(tiny, tokens, slot)))
        return torch.stack(
            [
                model.step(
                    cache,
                    StepRows(torch.tensor([0, 1]), torch.tensor([at, at]), 2, ((0, at, 6), (1, at, 9))),
                    codes[at],
                )
                for at in range(steps)
            ]
        )


def error(made: Tensor, exact: Tensor) -> float:
    return float((made - exact).norm() / exact.norm())


@pytest.mark.parametrize("instruction_set", instruction_sets())
@pytest.mark.parametrize("tiny", [DEEP, STEREO], ids=["deep", "stereo"])
def test_logits_are_close_to_float32(tiny: Tiny, instruction_set: str) -> None:
    exact = logits_of(make_model(tiny), tiny)
    assert 0 < error(logits_of(native_model(tiny, 256, instruction_set), tiny), exact) < 0.12


@pytest.mark.skipif(not can_int8(), reason="this CPU or this PyTorch has no int8 kernels")
@pytest.mark.skipif(instruction_sets()[0] == "avx2", reason="activations of seven bits are coarser")
@pytest.mark.parametrize("tiny", [DEEP, STEREO], ids=["deep", "stereo"])
def test_native_step_is_about_as_close_to_float32_as_int8_in_pytorch(tiny: Tiny) -> None:
    exact = logits_of(make_model(tiny), tiny)
    in_pytorch = error(logits_of(make_model(tiny, precision="int8"), tiny), exact)
    # Its keys and values have eight bits, too.
    assert error(logits_of(native_model(tiny), tiny), exact) < 1.3 * in_pytorch


@pytest.mark.parametrize("tiny", [DEEP, STEREO], ids=["deep", "stereo"])
def test_logits_in_int4_are_coarser_than_in_int8(tiny: Tiny) -> None:
    exact = logits_of(make_model(tiny), tiny)
    fine, mixed, coarse = (
        error(logits_of(native_model(tiny, in_int8=in_int8), tiny), exact)
        for in_int8 in (None, InInt8(), InInt8((), 0))
    )
    assert 2 * fine < mixed < coarse < 0.7


def drawn(tiny: Tiny, seed: int, prefix: Tensor | None = None, **options: object) -> Request:
    text = random_text(tiny, 3 + seed, seed)
    if prefix is not None:
        return Request(None, 50, prefix, seed=seed, **options)  # type: ignore[arg-type]
    with running_batch(tiny, native=True) as (model, _):
        return request(model, text, 50, seed=seed, **options)


def projected(tiny: Tiny, tokens: int) -> Tensor:
    return native_model(tiny).project_text(random_text(tiny, tokens, tokens))


@pytest.mark.parametrize("tiny", [MONO, STEREO], ids=["mono", "stereo"])
def test_request_gives_the_same_codes_alone_and_in_company(tiny: Tiny) -> None:
    given = torch.randint(0, tiny.codebook_size, (tiny.codebooks, 20), generator=torch.Generator().manual_seed(3))
    requests = [
        drawn(tiny, 0),
        drawn(tiny, 1, cfg_scale=1.0),
        drawn(tiny, 2, given=given),
        drawn(tiny, 3, temperature=0.5),
        drawn(tiny, 4, given=given, negative=projected(tiny, 9)),
        drawn(tiny, 4, given=given),
    ]
    alone = []
    for one in requests:
        with running_batch(tiny, native=True) as (_, loop):
            alone.append(result(loop.submit(one)))
    with running_batch(tiny, slots=3, native=True) as (_, loop):
        handles = [loop.submit(one) for one in requests]
        together = [result(handle) for handle in handles]
    for mine, other in zip(alone, together, strict=True):
        assert mine.equal(other)
    assert not alone[0].equal(alone[3])
    assert not alone[4].equal(alone[5]), "the negative prompt changes nothing"


@pytest.mark.parametrize("cfg_scale", [3.0, 1.0])
def test_melody_prefix_gives_the_same_codes_alone_and_in_company(cfg_scale: float) -> None:
    rows = 2 if cfg_scale != 1.0 else 1
    prefixes = [torch.randn(rows, n, MELODY.dim, generator=torch.Generator().manual_seed(n)) for n in (155, 70)]
    requests = [drawn(MELODY, n, prefix, cfg_scale=cfg_scale) for n, prefix in enumerate(prefixes)]
    with running_batch(MELODY, native=True) as (_, loop):
        alone = [result(loop.submit(one)) for one in requests]
    with running_batch(MELODY, native=True) as (_, loop):
        handles = [loop.submit(one) for one in requests]
        assert all(result(handle).equal(mine) for handle, mine in zip(handles, alone, strict=True))
    assert not alone[0].equal(alone[1])


def test_prefilled_codes_leave_the_cache_that_steps_leave() -> None:
    model = native_model(MONO, 64)
    codes = torch.randint(0, MONO.codebook_size, (40, MONO.codebooks), generator=torch.Generator().manual_seed(3))
    text = model.project_text(random_text(MONO, 5, 1))
    stepped, filled = model.new_cache(1, 64), model.new_cache(1, 64)

    def step(cache: NativeCache, at: int) -> Tensor:
        return model.step(cache, StepRows(torch.tensor([0]), torch.tensor([at]), 2, ((0, at, 5),)), codes[at : at + 1])

    with torch.inference_mode():
        for cache in (stepped, filled):
            cache.set_text(0, text)
        for at in range(39):
            step(stepped, at)
        for first in (0, 32):
            stop = min(first + 32, 39)
            model.prefill(filled, 0, model.embed(codes[first:stop]).expand(2, -1, -1), first, 5)
        assert step(stepped, 39).equal(step(filled, 39))


def test_memory_of_a_slot_is_less_than_a_third_of_that_in_float32() -> None:
    assert native_model(DEEP).bytes_per_slot(256) < make_model(DEEP).bytes_per_slot(256) / 3


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells which files are mapped")
def test_loaded_engine_keeps_no_part_of_the_checkpoint_file(tmp_path: Path) -> None:
    write_tiny(tmp_path)  # in float32, so that a tensor that needs no conversion would be a view of the file
    tuning = Tuning(precision="int8", step="native")
    settings = EngineSettings(
        engine="batching", model=str(tmp_path), device="cpu", max_slots=1, max_duration=1, tuning=tuning
    )
    engine = load(settings, print)
    try:
        assert "/state_dict.bin" not in Path("/proc/self/maps").read_text()
    finally:
        engine.close()


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_engine_makes_the_same_audio_with_native_steps_each_time(precision: Literal["int8", "int4"]) -> None:
    tuning = Tuning(precision=precision, step="native")
    settings = EngineSettings(
        engine="batching", model="starter", device="cpu", max_slots=2, max_duration=4, tuning=tuning
    )
    engine = load(settings, print)
    try:
        assert engine.info.engine == f"batching {precision} {instruction_sets()[0]}"
        # The gateway compares these names before it answers with stored audio.
        assert engine.info.checkpoint is not None
        assert engine.info.checkpoint.endswith(f" {precision} {REVISION}")
        recipe = Recipe(model="starter", prompt="happy piano", duration=1.0, seed=7)
        first, again = (np.concatenate(list(engine.generate(recipe, lambda done, total: None))) for _ in range(2))
    finally:
        engine.close()
    assert np.array_equal(first, again)
    assert first.shape == (32_000, 2)
    assert first.std() > 1e-4
