"""The native step equals its reference, whatever the instruction set, the number of threads and the other rows."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from psutil import Process

from tests.unit.worker.engine.kernels.reference import Doubles, Reference, Row, native_model, random_weights
from worker.engine.kernels.native_library import NativeStepError, instruction_sets
from worker.engine.kernels.step_model import MAX_ROWS, NO_TEXT, Floats, StepCache, StepModel, StepShape, cache_bytes

MONO = StepShape(64, 4, 3, 256, 4, 40, 64, cross=True)
SHAPES = {
    "mono": MONO,
    "stereo": replace(MONO, codebooks=8, codebook_size=33),
    "melody": replace(MONO, cross=False),
    "head of 64": StepShape(128, 2, 2, 512, 4, 64, 64, cross=True),
    "head of 128": StepShape(128, 1, 1, 130, 1, 3, 64, cross=True),
    "odd": StepShape(39, 3, 2, 101, 3, 17, 64, cross=True),
}
SETS = instruction_sets()
TEXTS, TOKENS = 3, 20
# The reference repeats all roundings to integers. The rest is float32 against float64, but a number so close to the
# middle of two levels that it is rounded differently changes everything after it by as much as the roundings do.
EQUAL, ROUNDED_DIFFERENTLY = 1e-5, 0.1


def texts(shape: StepShape) -> list[Floats]:
    random = np.random.default_rng(5)
    size = (shape.layers, 2, shape.heads)
    lengths = (1, 7, TOKENS)
    return [random.standard_normal((*size, n, shape.dim // shape.heads)).astype(np.float32) for n in lengths]


def new_cache(shape: StepShape, sequences: int = 16) -> StepCache:
    cache = StepCache(shape, sequences, TEXTS, TOKENS)
    for index, text in enumerate(texts(shape) if shape.cross else ()):
        cache.set_text(index, text)
    return cache


def random_codes(shape: StepShape, rows: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, shape.codebook_size + 1, (rows, shape.codebooks))


def run(model: StepModel, cache: StepCache, rows: Sequence[Row], codes: NDArray[np.int64]) -> Floats:
    logits = np.empty((len(rows), model.shape.codebooks, model.shape.codebook_size), np.float32)
    model.step(cache, rows, codes=np.ascontiguousarray(codes), logits=logits)
    return logits


def error(made: Floats, wanted: Doubles) -> float:
    return float(np.linalg.norm(made - wanted) / np.linalg.norm(wanted))


def rows_at(shape: StepShape, count: int, position: int) -> list[Row]:
    """Every third row has no text, and row n is n positions behind."""
    return [
        (row, position - row, row % 3 if shape.cross and row % 3 else NO_TEXT)
        for row in range(count)
        if position >= row
    ]


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("count", [1, 5, 16])
@pytest.mark.parametrize("bits", [8, 4])
def test_rows_at_different_positions_equal_the_reference(
    shape: StepShape, count: int, instruction_set: str, bits: int
) -> None:
    weights = random_weights(shape)
    model, cache = native_model(shape, weights, instruction_set, bits), new_cache(shape)
    reference = Reference(shape, weights, instruction_set, bits)
    for index, text in enumerate(texts(shape)):
        reference.set_text(index, text)
    errors = []
    for position in range(20):
        rows = rows_at(shape, count, position)
        codes = random_codes(shape, len(rows), position)
        made = run(model, cache, rows, codes)
        errors += [error(made[at], reference.step(row, codes[at])) for at, row in enumerate(rows)]
    assert np.quantile(errors, 0.25) < EQUAL
    assert max(errors) < ROUNDED_DIFFERENTLY


@pytest.mark.parametrize("instruction_set", SETS)
def test_long_sequence_equals_the_reference(instruction_set: str) -> None:
    shape = replace(MONO, layers=1, positions=1600)
    weights = random_weights(shape)
    model, cache = native_model(shape, weights, instruction_set), new_cache(shape)
    reference = Reference(shape, weights, instruction_set)
    inputs = np.random.default_rng(1).standard_normal((shape.positions, shape.dim)).astype(np.float32)
    for first in range(0, shape.positions, 100):
        rows = [(2, first + at, NO_TEXT) for at in range(100)]
        made = np.empty((100, shape.codebooks, shape.codebook_size), np.float32)
        model.step(cache, rows, inputs=inputs[first : first + 100], logits=made)
        for at in range(100):
            if first + at < 1599:
                reference.remember((2, first + at, NO_TEXT), inputs[first + at])
    wanted = reference.step((2, 1599, NO_TEXT), given=inputs[1599])
    assert error(made[-1], wanted) < ROUNDED_DIFFERENTLY


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("bits", [8, 4])
def test_sets_that_do_not_saturate_and_all_numbers_of_threads_give_the_same_bits(shape: StepShape, bits: int) -> None:
    weights, results = random_weights(shape), []
    for instruction_set in SETS:
        if instruction_set == "avx2":
            continue
        for threads in (1, 2, 3):
            threaded = replace(shape, threads=threads)
            model, cache = native_model(threaded, weights, instruction_set, bits), new_cache(threaded)
            for position in range(18):
                rows = rows_at(shape, 7, position)
                logits = run(model, cache, rows, random_codes(shape, len(rows), position))
            results.append(logits)
    assert all(np.array_equal(results[0], other) for other in results)


@pytest.mark.parametrize("instruction_set", SETS)
@settings(max_examples=15, deadline=None)
@given(
    bits=st.sampled_from([8, 4]),
    company=st.lists(st.integers(0, 15), max_size=9, unique=True),
    order=st.randoms(use_true_random=False),
)
def test_row_gives_the_same_bits_alone_and_in_company(
    instruction_set: str, bits: int, company: list[int], order: Random
) -> None:
    shape = replace(MONO, layers=2, threads=2)
    model = native_model(shape, random_weights(shape), instruction_set, bits)
    alone, together = new_cache(shape), new_cache(shape)
    mine = 15 if 15 not in company else 14
    others = [each for each in company if each != mine]
    for position in range(6):
        codes = random_codes(shape, 16, position)
        wanted = run(model, alone, [(mine, position, 1)], codes[mine : mine + 1])
        rows = [(mine, position, 1), *((other, min(position, other), other % 3) for other in others)]
        order.shuffle(rows)
        logits = run(model, together, rows, codes[[row[0] for row in rows]])
        assert np.array_equal(logits[[row[0] for row in rows].index(mine)], wanted[0])


@pytest.mark.parametrize("length", [1, 3, 17, 64])
def test_prefill_leaves_the_cache_that_as_many_steps_leave(length: int) -> None:
    shape = replace(MONO, positions=80, threads=2)
    model = native_model(shape, random_weights(shape))
    stepped, filled = new_cache(shape), new_cache(shape)
    inputs = np.random.default_rng(3).standard_normal((length, shape.dim)).astype(np.float32)
    for position in range(length):
        both = np.repeat(inputs[position : position + 1], 2, 0)
        model.step(stepped, [(0, position, 1), (1, position, NO_TEXT)], inputs=both)
    rows = [(row, position, text) for row, text in ((0, 1), (1, NO_TEXT)) for position in range(length)]
    model.step(filled, rows, inputs=np.concatenate([inputs, inputs]))
    after = [(0, length, 1), (1, length, NO_TEXT)]
    codes = random_codes(shape, 2, 9)
    assert np.array_equal(run(model, stepped, after, codes), run(model, filled, after, codes))


def test_earlier_users_of_a_slot_leave_no_trace() -> None:
    shape = MONO
    model, cache, fresh = native_model(shape, random_weights(shape)), new_cache(shape), new_cache(shape)
    for position in range(40):
        run(model, cache, [(0, position, 2)], random_codes(shape, 1, position))
    for position in range(5):
        codes = random_codes(shape, 1, 100 + position)
        used, new = (run(model, each, [(0, position, 0)], codes) for each in (cache, fresh))
        assert np.array_equal(used, new)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e30])
def test_extreme_inputs_give_finite_logits(scale: float) -> None:
    model, cache = native_model(MONO, random_weights(MONO)), new_cache(MONO)
    inputs = np.full((1, MONO.dim), scale, np.float32) * np.linspace(-1, 1, MONO.dim, dtype=np.float32)
    logits = np.empty((1, MONO.codebooks, MONO.codebook_size), np.float32)
    model.step(cache, [(0, 0, NO_TEXT)], inputs=inputs, logits=logits)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_weight_that_is_not_finite_shows_in_the_logits(broken: float, bits: int) -> None:
    weights = random_weights(MONO)
    weights["logits", 0][1, 2] = broken
    model, cache = native_model(MONO, weights, bits=bits), new_cache(MONO)
    logits = run(model, cache, [(0, 0, NO_TEXT)], random_codes(MONO, 1, 0)).flatten()
    assert np.isnan(logits[1])
    assert np.isfinite(np.delete(logits, 1)).all()


@pytest.mark.parametrize("bits", [8, 4])
def test_weights_of_zero_give_logits_of_zero(bits: int) -> None:
    weights = random_weights(MONO)
    weights["logits", 0][:] = 0
    model, cache = native_model(MONO, weights, bits=bits), new_cache(MONO)
    assert not run(model, cache, [(0, 0, NO_TEXT)], random_codes(MONO, 1, 0)).any()


def test_weights_of_five_bits_are_refused() -> None:
    with pytest.raises(NativeStepError, match="8 or 4 bits"):
        StepModel(MONO).set("past_out", np.zeros((64, 64), np.float32), bits=5)


@pytest.mark.parametrize("row", [(16, 0, 0), (-1, 0, 0), (0, 64, 0), (0, -1, 0), (0, 0, 3), (0, 0, -2)])
def test_row_out_of_range_is_refused(row: Row) -> None:
    model, cache = native_model(MONO, random_weights(MONO)), new_cache(MONO)
    with pytest.raises(NativeStepError, match="out of range"):
        run(model, cache, [row], random_codes(MONO, 1, 0))


@pytest.mark.parametrize("code", [-1, 41, 2**40])
def test_code_out_of_range_is_refused(code: int) -> None:
    model, cache = native_model(MONO, random_weights(MONO)), new_cache(MONO)
    with pytest.raises(NativeStepError, match="out of range"):
        run(model, cache, [(0, 0, NO_TEXT)], np.full((1, 4), code))


def test_arrays_of_the_wrong_shape_are_refused() -> None:
    model, cache = native_model(MONO, random_weights(MONO)), new_cache(MONO)
    with pytest.raises(NativeStepError, match="is needed"):
        run(model, cache, [(0, 0, NO_TEXT)], random_codes(MONO, 2, 0))
    with pytest.raises(NativeStepError, match="does not fit"):
        model.set("past_out", np.zeros((3, 3), np.float32))
    with pytest.raises(NativeStepError, match="does not fit"):
        cache.set_text(0, np.zeros((3, 2, 4, 5, 15), np.float32))
    with pytest.raises(NativeStepError, match="out of the cache's range"):
        cache.set_text(0, np.zeros((3, 2, 4, TOKENS + 1, 16), np.float32))


def test_too_many_rows_are_refused() -> None:
    model, cache = native_model(MONO, random_weights(MONO)), new_cache(MONO)
    with pytest.raises(NativeStepError, match="out of range"):
        run(model, cache, [(0, 0, NO_TEXT)] * (MAX_ROWS + 1), random_codes(MONO, MAX_ROWS + 1, 0))


def test_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(NativeStepError, match="not sse9"):
        StepModel(MONO, "sse9")


def test_memory_of_a_cache_is_a_third_of_that_of_floats() -> None:
    shape = StepShape(1024, 16, 24, 4096, 4, 2048, 1504, cross=True)
    floats = 4 * 2 * shape.layers * shape.dim * (2 * shape.positions + 512)
    assert 0.25 < cache_bytes(shape, 2, 1, 512) / floats < 0.32


def test_memory_of_slots_is_taken_when_they_are_in_use() -> None:
    shape = replace(MONO, layers=8, positions=3000)
    size, before = cache_bytes(shape, 64, 1, 8), Process().memory_info().rss
    cache = StepCache(shape, 64, 1, 8)
    assert Process().memory_info().rss - before < size / 4
    del cache
