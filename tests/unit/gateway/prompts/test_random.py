"""Random prompts from matching words."""

import random
import re
from typing import get_args

import pytest

from gateway.prompts import VOCABULARY, Complexity, build_prompt, random_components

SEEDS = range(200)
INSTRUMENTS = {genre.name: set(genre.instruments) for genre in VOCABULARY.genres}


@pytest.mark.parametrize("complexity", get_args(Complexity))
def test_equal_seeds_give_equal_prompts_and_different_seeds_differ(complexity: Complexity) -> None:
    prompts = [random_components(complexity, random.Random(seed)) for seed in SEEDS]
    assert prompts == [random_components(complexity, random.Random(seed)) for seed in SEEDS]
    assert len(set(prompts)) > 50


@pytest.mark.parametrize(
    ("complexity", "fields"),
    [
        ("simple", ["genre", "mood"]),
        ("medium", ["genre", "tempo", "mood", "instruments"]),
        ("complex", ["genre", "tempo", "mood", "instruments", "custom_text"]),
    ],
)
def test_each_complexity_adds_fields(complexity: Complexity, fields: list[str]) -> None:
    for seed in SEEDS:
        built = build_prompt(random_components(complexity, random.Random(seed)))
        assert list(built.components) == fields
        assert len(built.structured_prompt) <= 500


@pytest.mark.parametrize(("complexity", "count"), [("medium", 2), ("complex", 3)])
def test_instruments_are_distinct_and_of_the_genre(complexity: Complexity, count: int) -> None:
    for seed in SEEDS:
        found = random_components(complexity, random.Random(seed))
        assert found.instruments is not None
        assert len(set(found.instruments)) == count
        assert set(found.instruments) <= INSTRUMENTS[str(found.genre)]


def test_words_are_from_the_vocabulary() -> None:
    for seed in SEEDS:
        found = random_components("medium", random.Random(seed))
        assert found.mood in VOCABULARY.moods
        assert found.tempo in {tempo.name for tempo in VOCABULARY.tempos}


def test_a_complex_tempo_is_a_bpm_of_the_vocabulary() -> None:
    lowest, highest = VOCABULARY.tempos[0].bpm_min, VOCABULARY.tempos[-1].bpm_max
    for seed in SEEDS:
        match = re.fullmatch(r"(\d+) BPM", str(random_components("complex", random.Random(seed)).tempo))
        assert match
        assert lowest <= int(match.group(1)) <= highest
