"""Typical tempos of genres."""

import pytest

from gateway.prompts import VOCABULARY, typical_tempo
from gateway.prompts.tempos import TYPICAL
from gateway.prompts.vocabulary import Genre, Tempo
from shared.music import HIGHEST_BPM, LOWEST_BPM


@pytest.mark.parametrize("genre", VOCABULARY.genres, ids=lambda genre: genre.name)
def test_every_genre_of_the_vocabulary_has_a_tempo(genre: Genre) -> None:
    assert TYPICAL[genre.name.replace("-", " ")] == typical_tempo(f"{genre.name.title()} music, dark mood")


def test_every_tempo_can_be_requested() -> None:
    assert all(LOWEST_BPM <= tempo <= HIGHEST_BPM for tempo in TYPICAL.values())


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("house", 124),
        ("TECHNO!", 130),
        ("drum & bass with pads", 174),
        ("Drum-and-Bass", 174),
        ("Drum'n'Bass roller", 174),
        ("rock’n’roll", 120),
        ("lo-fi hip hop beat", 82),
        ("jazz house", 124),
        ("house with jazz piano", 124),
        ("a calm piece, folk, then metal", 100),
        ("soulful powerhouse", 120),
        ("", 120),
    ],
)
def test_the_tempo_is_that_of_the_genre_word(prompt: str, bpm: float) -> None:
    assert typical_tempo(prompt) == bpm


@pytest.mark.parametrize("tempo", VOCABULARY.tempos, ids=lambda tempo: tempo.name)
def test_a_tempo_word_limits_the_genres_tempo(tempo: Tempo) -> None:
    assert tempo.bpm_min <= typical_tempo(f"house music, {tempo.name} tempo") <= tempo.bpm_max
    assert typical_tempo(f"{tempo.name} tempo") == (tempo.bpm_min + tempo.bpm_max) / 2


def test_a_mood_is_no_tempo() -> None:
    assert typical_tempo("relaxed house") == 124
