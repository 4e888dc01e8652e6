"""Typical tempos of genres."""

import pytest

from gateway.prompts import VOCABULARY, typical_tempo
from gateway.prompts.tempos import TYPICAL
from gateway.prompts.vocabulary import Genre, Tempo
from shared.music import HIGHEST_BPM, LOWEST_BPM
from shared.prompt.genres import load_genres
from shared.prompt.reader import read_prompt


def of(prompt: str) -> float:
    return typical_tempo(read_prompt(prompt))


@pytest.mark.parametrize("genre", VOCABULARY.genres, ids=lambda genre: genre.name)
def test_every_genre_of_the_vocabulary_has_a_tempo(genre: Genre) -> None:
    assert TYPICAL[genre.name] == of(f"{genre.name.title()} music, dark mood")


@pytest.mark.parametrize("name", sorted(TYPICAL))
def test_a_typical_tempo_is_one_of_the_genre_that_the_reader_knows(name: str) -> None:
    assert load_genres()[name]
    assert LOWEST_BPM <= TYPICAL[name] <= HIGHEST_BPM


@pytest.mark.parametrize("name", sorted(load_genres()))
def test_every_genre_of_the_reader_has_a_tempo_that_can_be_requested(name: str) -> None:
    assert LOWEST_BPM <= of(name) <= HIGHEST_BPM


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
        ("house with jazz piano", 124),
        ("tango", 120),
        ("soulful powerhouse", 90),
        ("", 120),
    ],
)
def test_the_tempo_is_that_of_the_genre_word(prompt: str, bpm: float) -> None:
    assert of(prompt) == bpm


@pytest.mark.parametrize("tempo", VOCABULARY.tempos, ids=lambda tempo: tempo.name)
def test_a_tempo_word_limits_the_genres_tempo(tempo: Tempo) -> None:
    stated = read_prompt(f"{tempo.name} tempo").tempo
    assert stated is not None
    slowest, fastest = map(float, stated)
    assert slowest <= of(f"house music, {tempo.name} tempo") <= fastest
    assert of(f"{tempo.name} tempo") == (slowest + fastest) / 2


@pytest.mark.parametrize(("prompt", "slowest", "fastest"), [("slow piano", 50, 80), ("a presto fiddle tune", 160, 200)])
def test_a_tempo_word_alone_is_enough(prompt: str, slowest: float, fastest: float) -> None:
    assert slowest <= of(prompt) <= fastest


def test_a_mood_is_no_tempo() -> None:
    assert of("relaxed house") == 124
