"""The benchmark of edits finds what a child of audio does not keep."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.audio_edits import AudioFindings, Stored, _child, _compare, _parent, measure_audio_edits, tiny_engine
from worker.engine.batching.engine import BatchingEngine

# audiocraft uses a deprecated weight norm of PyTorch.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module")
def engine() -> Iterator[BatchingEngine]:
    with tiny_engine() as engine:
        yield engine


def kept(parent: Stored, child: Stored) -> tuple[int, int]:
    found = AudioFindings()
    _compare(parent, child, found)
    return found.before_kept, found.after_kept


def test_every_random_edit_keeps_everything(engine: BatchingEngine) -> None:
    found = measure_audio_edits(engine, 3, random.Random(1))
    assert (found.edits, found.before_kept, found.after_kept) == (3, 3, 3)
    assert found.off_grid < 1


@pytest.mark.parametrize(("sample", "expected"), [(0, (0, 1)), (-1, (1, 0))])
def test_a_changed_sample_is_found(engine: BatchingEngine, sample: int, expected: tuple[int, int]) -> None:
    source = random.Random(1)
    parent = _parent(engine, 1, source)
    while (child := _child(engine, parent, source)).record.recipe.edit.to_seconds is None:  # type: ignore[union-attr]
        pass
    assert kept(parent, child) == (1, 1)
    samples = child.samples.copy()
    samples[sample] += 1
    assert kept(parent, replace(child, samples=samples)) == expected
