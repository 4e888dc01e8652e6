"""A negative prompt refuses what it names, and what the prompt itself asks for counts more."""

from fractions import Fraction

import pytest

from shared.prompt.reader import LONGEST, read_prompt
from shared.prompt.why import load_reasons


@pytest.mark.parametrize(
    ("prompt", "negative", "refused"),
    [
        ("house with piano", "drums, vocals", {"drums", "vocals", "choir"}),
        ("house with piano", "no drums and no vocals", {"drums", "vocals", "choir"}),
        ("house with piano, no bass", "drums", {"bass", "drums"}),
        ("funk", "sad, breakdown", {"sad", "break"}),
        ("funk", "kick drum and hi-hats", {"kick", "hi-hats"}),
        ("flute", "piano solo", set()),
        ("piano and drums", "drums", set()),
        ("house", "", set()),
    ],
)
def test_what_a_negative_prompt_names_is_refused(prompt: str, negative: str, refused: set[str]) -> None:
    assert read_prompt(prompt, negative).refused == refused


def test_it_is_read_as_a_refusal_within_the_prompt_would_be() -> None:
    apart, within = (
        read_prompt("house with piano", "drums, strings"),
        read_prompt("house with piano, no drums, no strings"),
    )
    assert apart.refused == within.refused
    assert [each.meaning for each in apart.understood] == [each.meaning for each in within.understood]


def test_a_tempo_word_leaves_the_other_tempos() -> None:
    assert read_prompt("techno", "fast").tempo == (Fraction(76), Fraction(112))
    assert read_prompt("techno at 140 bpm", "fast").tempo == (Fraction(140), Fraction(140))


def test_what_it_cannot_refuse_and_what_the_prompt_asks_for_is_told() -> None:
    reading = read_prompt("happy house with piano", "piano, happy, house, 8 bars, zorgs, drums")
    assert {each.words: each.because for each in reading.ignored_because} == {
        **dict.fromkeys(("piano", "happy", "house"), load_reasons()["wanted"]),
        "8 bars": load_reasons()["negative"],
        "zorgs": load_reasons()["unknown"],
    }
    assert reading.bars is None
    assert [each.meaning for each in reading.understood][-1] == "no drums"


def test_it_states_nothing_that_is_wanted() -> None:
    reading = read_prompt(
        "music", "jazz with violin, in A minor, 120 BPM, 3/4, for 30 seconds, loop, only piano, half-time"
    )
    assert (reading.genre, reading.instruments, reading.key, reading.meter) == (None, (), None, None)
    assert (reading.tempo, reading.seconds, reading.loop, reading.only, reading.feel) == (
        None,
        None,
        False,
        False,
        None,
    )


def test_a_long_one_is_cut_and_told() -> None:
    reading = read_prompt("house", "drums " * LONGEST)
    assert reading.refused == {"drums"}
    assert reading.ignored_because[-1].because == load_reasons()["length"]
