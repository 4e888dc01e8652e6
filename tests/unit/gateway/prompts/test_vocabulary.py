"""The words for menus."""

from itertools import pairwise

import pytest

from gateway.prompts import VOCABULARY, PromptComponents, build_prompt
from gateway.prompts.vocabulary import Genre


@pytest.mark.parametrize("genre", VOCABULARY.genres, ids=lambda genre: genre.name)
def test_a_genre_has_at_least_three_listed_instruments(genre: Genre) -> None:
    assert len(set(genre.instruments)) == len(genre.instruments) >= 3
    assert set(genre.instruments) <= set(VOCABULARY.instruments)


def test_no_word_is_listed_twice() -> None:
    for words in (
        [genre.name for genre in VOCABULARY.genres],
        [tempo.name for tempo in VOCABULARY.tempos],
        VOCABULARY.moods,
        VOCABULARY.instruments,
    ):
        assert len(set(words)) == len(words) > 0


def test_tempo_ranges_have_no_gap() -> None:
    for slower, faster in pairwise(VOCABULARY.tempos):
        assert slower.bpm_min < slower.bpm_max == faster.bpm_min


def test_every_word_makes_a_prompt() -> None:
    for genre in VOCABULARY.genres:
        assert build_prompt(PromptComponents(genre=genre.name)).structured_prompt == f"{genre.name} music"
    for mood in VOCABULARY.moods:
        assert build_prompt(PromptComponents(mood=mood)).structured_prompt == f"{mood} mood"
    for tempo in VOCABULARY.tempos:
        assert build_prompt(PromptComponents(tempo=tempo.name)).structured_prompt == f"{tempo.name} tempo"
