"""Optimised paths agree with each other, and stay close to float32."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.unit.worker.engine.batching.batch import CPU, make_model, request
from tests.unit.worker.engine.batching.models import Tiny, config, random_text
from worker.engine.batching.attention import MaskedAttention, PerSlotAttention, StepRows
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.kv_cache import KvCache
from worker.engine.batching.layout import Window
from worker.engine.batching.linear import FloatLinear, Int8Linear, Precision, can_int8
from worker.engine.batching.scheduler import ScheduledRequest
from worker.engine.batching.step_runner import EagerRunner, GraphRunner, StepRunner, bucket_sizes

# As deep as MusicGen-small, so that rounding errors accumulate as they do there.
DEEP = Tiny(dim=128, heads=4, layers=24, codebook_size=64, seed=5)

needs_int8 = pytest.mark.skipif(not can_int8(), reason="this CPU or this PyTorch has no int8 kernels")


def step_logits(precision: Precision, tiny: Tiny = DEEP, steps: int = 12) -> Tensor:
    """Logits of every step of one request on given codes: [steps, parts, codebooks, codebook_size]."""
    model = make_model(tiny, precision=precision)
    cache = KvCache(config(tiny), 1, 32, model.dtype, CPU)
    codes = torch.randint(0, tiny.codebook_size, (steps, 1, tiny.codebooks), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        cache.set_text(0, model.project_text(random_text(tiny, 6, 2)))
        return torch.stack(
            [
                model.step(cache, StepRows(torch.tensor([0]), torch.tensor([at]), 2, ((0, at, 6),)), codes[at])[:, 0]
                for at in range(steps)
            ]
        )


@pytest.mark.parametrize(
    ("precision", "bound"), [pytest.param("int8", 0.12, marks=needs_int8), ("bfloat16", 0.12), ("float16", 0.02)]
)
def test_reduced_precision_changes_logits_within_bounds(precision: Precision, bound: float) -> None:
    exact, rounded = step_logits("float32"), step_logits(precision)
    error = ((rounded - exact).norm() / exact.norm()).item()
    assert error < bound
    assert error > 0, "the precision was not used"


@needs_int8
def test_int8_rows_are_independent_of_each_other() -> None:
    weight = torch.randn(96, 64, generator=torch.Generator().manual_seed(1))
    rows = torch.randn(33, 64, generator=torch.Generator().manual_seed(2)) * torch.logspace(-3, 3, 33)[:, None]
    with torch.inference_mode():
        linear = Int8Linear(weight)
        together = linear(rows)
        for index in range(len(rows)):
            assert linear(rows[index : index + 1]).equal(together[index : index + 1])


@needs_int8
def test_int8_is_close_to_the_exact_product_at_any_scale() -> None:
    weight = torch.randn(96, 64, generator=torch.Generator().manual_seed(1))
    rows = torch.randn(7, 64, generator=torch.Generator().manual_seed(2)) * torch.logspace(-6, 6, 7)[:, None]
    rows[3] = 0
    with torch.inference_mode():
        exact, rounded = FloatLinear(weight)(rows), Int8Linear(weight)(rows)
    assert ((exact - rounded).norm(dim=1) <= 0.02 * exact.norm(dim=1)).all()


def runs_of(decoder: Decoder, count: int, guided: bool, negative: bool = False) -> list[ScheduledRequest]:  # type: ignore[type-arg]
    """Requests in the first slots, each at a different step."""
    model, runs = decoder.model, []
    for slot in range(count):
        tiny = Tiny()
        refused = model.project_text(random_text(tiny, 9 - slot, 9 + slot)) if negative else None
        one = request(
            model,
            random_text(tiny, 3 + slot, slot),
            40,
            seed=slot,
            cfg_scale=3.0 if guided else 1.0,
            negative=refused,
        )
        window = Window(slot, 40) if slot else Window(0, 40)
        source = torch.Generator().manual_seed(slot)
        given = torch.randint(0, tiny.codebook_size, (4, slot), generator=source) if slot else None
        decoder.begin(slot, one)
        decoder.open_window(slot, window, given, 0)
        if slot:
            decoder.prefill(slot, one, range(slot))
        runs.append(ScheduledRequest(one, [window], guided, slot=slot, position=slot + 1))
    return runs


@pytest.mark.parametrize("sizes", [bucket_sizes(5), [5]])
@pytest.mark.parametrize(("guided", "negative"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_graph_replay_equals_eager_steps_for_every_batch_size(
    count: int, guided: bool, negative: bool, sizes: list[int]
) -> None:
    replays = 0

    def capture(work):  # type: ignore[no-untyped-def]
        def replay() -> None:
            nonlocal replays
            replays += 1
            work()

        work()
        return replay

    with torch.inference_mode():
        eager, graphed = (Decoder(make_model(Tiny(), kind), 5, 60) for kind in (PerSlotAttention(), MaskedAttention()))
        steps: tuple[StepRunner, StepRunner] = (EagerRunner(eager), GraphRunner(graphed, capture, sizes))
        results = []
        for decoder, step in zip((eager, graphed), steps, strict=True):
            runs = runs_of(decoder, count, guided, negative)
            for _ in range(20):
                step(runs)
                for run in runs:
                    run.position += 1
            results.append([decoder.codes(slot, range(slot + 15)) for slot in range(count)])
    assert replays == 20
    for mine, other in zip(*results, strict=True):
        assert mine.equal(other)


def test_bucket_sizes_are_powers_of_two_and_the_number_of_slots() -> None:
    assert [bucket_sizes(slots) for slots in (1, 5, 8)] == [[1], [1, 2, 4, 5], [1, 2, 4, 8]]


KERNEL = """
import torch
from tests.unit.worker.engine.batching.test_language_model import attention_results
from worker.engine.batching.attention import PerSlotAttention
from worker.engine.batching.attention_kernel import TritonAttention
for mine, exact in zip(attention_results(TritonAttention()), attention_results(PerSlotAttention()), strict=True):
    torch.testing.assert_close(mine, exact, rtol=1e-5, atol=1e-5)
"""


def attention_results(attention) -> tuple[Tensor, ...]:  # type: ignore[no-untyped-def]
    """Self-attention, and cross-attention to prompts alone and to negative ones too, of three of five slots.

    Their lengths are at block boundaries of the kernel. The last result is the cache afterwards.
    """
    torch.manual_seed(0)
    tiny = Tiny(dim=48, heads=4)
    cache = KvCache(config(tiny), 5, 300, torch.float32, CPU)
    cache.past.normal_()
    cache.text.normal_()
    cache.text_lengths.copy_(torch.tensor([[3, 128], [500, 1], [129, 2], [1, 1], [128, 300]]))
    slots, positions = [4, 0, 2], [0, 127, 299]
    host = tuple((slot, at, int(cache.text_lengths[slot, 0])) for slot, at in zip(slots, positions, strict=True))
    rows = StepRows(torch.tensor(slots), torch.tensor(positions), 2, host)
    query, new = torch.randn(2, 3, 4, 12), torch.randn(2, 3, 2, 4, 12)
    past = attention.to_past(cache, 1, rows, query, new)
    negative = tuple(int(cache.text_lengths[slot, 1]) for slot in slots)
    both = replace(rows, texts=2, negative=negative)
    texts = attention.to_text(cache, 1, rows, query[:1]), attention.to_text(cache, 1, both, query)
    return past, *texts, cache.past


def test_masked_attention_agrees_with_per_slot_attention() -> None:
    for mine, exact in zip(attention_results(MaskedAttention()), attention_results(PerSlotAttention()), strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-5, atol=1e-5)


def test_triton_attention_agrees_with_per_slot_attention() -> None:
    pytest.importorskip("triton")
    # Triton reads TRITON_INTERPRET at import.
    subprocess.run([sys.executable, "-c", KERNEL], check=True, env=os.environ | {"TRITON_INTERPRET": "1"}, timeout=100)
