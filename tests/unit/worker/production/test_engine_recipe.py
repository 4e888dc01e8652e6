"""What a model that makes audio directly is asked for."""

import pytest

from shared.messages import Recipe
from shared.prompt.reader import read_prompt
from worker.production.engine_recipe import MOST_TRIES, engine_recipe, most_engine_seconds

GRID = Recipe(model="small", prompt="house.", duration=16.0, bars=8, bpm=120.0, meter="4/4", seed=7)


def test_the_prompt_gets_what_the_recipe_adds_in_the_words_of_the_training() -> None:
    recipe = Recipe(model="small", prompt="a dance.", duration=9.0, bpm=117.5, meter="3/4", key="A minor")
    assert engine_recipe(recipe, 0).prompt == "a dance. bpm: 117.5. key: A minor. 3/4 time"


@pytest.mark.parametrize("prompt", ["house at 120 BPM in A minor", "120bpm, Am", "bpm: 120. key: A minor"])
def test_words_that_the_prompt_has_are_not_repeated(prompt: str) -> None:
    recipe = Recipe(model="small", prompt=prompt, duration=16.0, bpm=120.0, meter="4/4", key="A minor")
    assert engine_recipe(recipe, 0).prompt == prompt


def test_the_added_words_are_understood() -> None:
    recipe = Recipe(model="small", prompt="strings", duration=9.0, bpm=93.25, meter="6/8", key="F# major")
    said = read_prompt(engine_recipe(recipe, 0).prompt)
    assert said.tempo is not None
    assert float(said.tempo[0]) == 93.25
    assert said.key is not None
    assert (said.key.name, said.meter) == ("F# major", "6/8")


def test_the_audio_is_long_enough_to_cut_and_to_stretch() -> None:
    assert engine_recipe(GRID, 0).duration == pytest.approx(16 * 1.06 + 4)


def test_the_duration_stays_within_the_memory_of_the_engine() -> None:
    slow = Recipe(model="small", prompt="drone", duration=96.0, bars=2, bpm=40.0, meter="16/2")
    assert engine_recipe(slow, 0).duration <= most_engine_seconds(96.0)


def test_without_a_tempo_the_duration_is_the_recipes() -> None:
    recipe = Recipe(model="small", prompt="rain", duration=9.0, key="A minor")
    assert engine_recipe(recipe, 0).duration == 9.0


def test_each_try_has_a_seed_of_its_own_that_the_recipe_determines() -> None:
    seeds = [engine_recipe(GRID, number).seed for number in range(MOST_TRIES)]
    assert seeds[0] == GRID.seed
    assert len(set(seeds)) == MOST_TRIES
    assert seeds == [engine_recipe(GRID, number).seed for number in range(MOST_TRIES)]
