"""The benchmark of edits finds what a child does not keep."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from msgspec.structs import replace as with_fields

from bench.edit import PARENT, Findings, Made, _compare, _measure, _recipe, _take
from shared.edits import Edit
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import EngineSettings

PART = range(2, 4)


@pytest.fixture(scope="module")
def engine() -> Iterator[BatchingEngine]:
    settings = EngineSettings(engine="batching", model="starter", device="cpu", max_slots=4, max_duration=60.0)
    engine = load(settings, lambda _: None)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def pair(engine: BatchingEngine) -> tuple[Made, Made]:
    """A take, and a child whose third and fourth bar were replaced."""
    parent = _take(engine, _recipe(0, random.Random(1)))
    assert parent.music.score is not None
    edit = Edit(kind="replace", parent=PARENT, score=parent.music.score, from_bar=3, to_bar=4)
    return parent, _take(engine, with_fields(parent.recipe, edit=edit, seed=2))


def kept(parent: Made, child: Made) -> tuple[int, int, int]:
    found = Findings()
    _compare(parent, child, 0, PART, found)
    return found.codes_kept, found.notes_kept, found.samples_kept


def test_every_random_edit_keeps_everything(engine: BatchingEngine) -> None:
    found = _measure(engine, 2, random.Random(1))
    assert (found.edits, found.codes_kept, found.notes_kept, found.samples_kept) == (2, 2, 2, 2)
    assert found.off_grid < 1


def test_a_faithful_child_counts(pair: tuple[Made, Made]) -> None:
    assert kept(*pair) == (1, 1, 1)


def test_a_changed_code_is_found(pair: tuple[Made, Made]) -> None:
    parent, child = pair
    codes = child.codes.copy()
    codes[1, -1] += 1
    assert kept(parent, replace(child, codes=codes)) == (0, 1, 1)


def test_a_changed_note_is_found(pair: tuple[Made, Made]) -> None:
    parent, child = pair
    notes = child.notes + Counter({(Fraction(0), 0, 60, 100): 1})
    assert kept(parent, replace(child, notes=notes)) == (1, 0, 1)


@pytest.mark.parametrize("sample", [0, -1])
def test_a_changed_sample_is_found(pair: tuple[Made, Made], sample: int) -> None:
    parent, child = pair
    audio = child.audio.copy()
    audio[sample] += 1e-6
    assert kept(parent, replace(child, audio=audio)) == (1, 1, 0)
