"""What prompts in everyday words wish for: instruments, refusals, genres, and what the reader tells of it."""

import functools
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.prompt.genres import genre, load_genres
from shared.prompt.lexicon import load_lexicon
from shared.prompt.reader import read_prompt
from shared.prompt.tokens import tokenize

EVERYDAY = msgspec.json.decode(Path(__file__).with_name("everyday.json").read_bytes(), type=list[dict[str, Any]])


@pytest.mark.parametrize("row", EVERYDAY, ids=lambda row: row["prompt"])
def test_everyday_prompts_are_read_as_people_mean_them(row: dict[str, Any]) -> None:
    reading = read_prompt(row["prompt"])
    found = {
        "prompt": row["prompt"],
        "tempo": list(map(float, reading.tempo or ())),
        "key": reading.key.name if reading.key else None,
        "mode": None if reading.key else reading.mode,
        "meter": reading.meter,
        "bars": reading.bars,
        "seconds": reading.seconds,
        "genre": reading.genre,
        "decade": reading.decade,
        "feel": reading.feel,
        "instruments": list(reading.instruments),
        "parts": list(reading.parts),
        "only": reading.only,
        "refused": sorted(reading.refused),
        "sections": [wish.phrase for wish in reading.sections],
        "moods": list(reading.moods),
        "ignored": list(reading.ignored),
    }
    assert {name: value for name, value in found.items() if value} == row


@pytest.mark.parametrize("row", EVERYDAY, ids=lambda row: row["prompt"])
def test_every_content_word_of_everyday_prompts_is_told(row: dict[str, Any]) -> None:
    assert untold(row["prompt"]) == []


def test_what_is_not_loud_is_quiet() -> None:
    assert read_prompt("not loud, orchestral").energy == "low"


def test_a_polite_request_has_no_mood() -> None:
    assert read_prompt("I would love to hear a metal number").moods == ()
    assert read_prompt("a love song").moods == ("romantic",)


@pytest.mark.parametrize("word", ["trumped", "base", "horse", "medal", "sting", "mental", "place"])
def test_english_words_are_no_typos(word: str) -> None:
    reading = read_prompt(word)
    assert (reading.understood, reading.genre, reading.instruments) == ((), None, ())


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("slow", "slow: 60–80 BPM"), ("not too fast", "not fast"), ("oboe", "clarinet"), ("dark", "mood: dark"),
        ("only piano", "only these instruments"), ("in Am", "A minor"), ("8 bars", "8 bars"), ("waltz", "waltz, 3/4"),
        ("120-128 bpm", "120–128 BPM"), ("instrumental", "no vocals"), ("without any drums", "no drums"),
    ],
)  # fmt: skip
def test_meanings_are_in_plain_words(prompt: str, says: str) -> None:
    assert read_prompt(prompt).understood[0].meaning == says


@pytest.mark.parametrize(
    ("prompt", "instruments"),
    [
        ("warm Rhodes and an upright bass", ("electric piano", "double bass")),
        ("oboe over soft pads", ("clarinet", "pads")),
        ("808 bass and trap hats", ("synth bass", "drums")),
        ("electric piano, not a piano", ("electric piano",)),
        ("metal with guitars", ("distorted guitar",)),
        ("a folk tune with guitar", ("acoustic guitar",)),
        ("drums on a 909", ("drum machine",)),
        ("beat without drums, cello", ("cello",)),
        ("drum and bass with steel drums", ("marimba",)),
        ("full band", ("electric guitar", "bass", "drums")),
    ],
)
def test_instruments_are_read_by_their_names_and_nearest_relatives(prompt: str, instruments: tuple[str, ...]) -> None:
    assert read_prompt(prompt).instruments == instruments


@pytest.mark.parametrize(
    ("prompt", "refused"),
    [
        ("house without piano or strings", {"piano", "strings", "violin", "cello"}),
        ("piano, no drums, no bass", {"drums", "bass"}),
        ("no drums, bass guitar or piano, but strings", {"drums", "bass guitar", "piano"}),
        ("no drums, piano and organ", {"drums"}),
        ("no bass and a piano", {"bass"}),
        ("drums are left out, organ", {"drums"}),
        ("ska with brass, and leave the organ out", {"organ"}),
        ("drum-free organ", {"drums"}),
        ("instrumental jazz", {"vocals", "choir"}),
        ("instrumental with a choir", {"vocals"}),
        ("not without drums", set()),
        ("not only piano but also strings", set()),
        ("anything but banjo", {"banjo"}),
        ("no guitar except acoustic guitar", {"electric guitar", "distorted guitar"}),
        ("no melody", {"melody"}),
        ("ピアノ、ドラムなし", {"drums"}),
        ("ohne Schlagzeug und Bass", {"drums", "bass"}),
        ("sans batterie, avec piano", {"drums"}),
        ("sin batería, con piano", {"drums"}),
        ("sem bateria", {"drums"}),
    ],
)
def test_refusals_reach_as_far_as_they_are_meant(prompt: str, refused: set[str]) -> None:
    assert read_prompt(prompt).refused == refused


@pytest.mark.parametrize(
    ("prompt", "only"),
    [
        ("solo piano", True),
        ("piano only, slow", True),
        ("only harp, gentle", True),
        ("just double bass and drums", True),
        ("isolated bass stem", True),
        ("two bars of drums, 120 bpm", True),
        ("drum loop, 120 bpm", True),
        ("strings and nothing else", True),
        ("string quartet", True),
        ("unaccompanied violin", True),
        ("rock song with a guitar solo", False),
        ("trap with a flute loop and hats", False),
        ("just make me a house track with piano", False),
        ("piano only in the intro", False),
        ("not only piano but also strings", False),
        ("solo piano intro, then the full band", False),
        ("only", False),
    ],
)
def test_only_and_solo_leave_out_everything_else(prompt: str, only: bool) -> None:
    assert read_prompt(prompt).only is only


@pytest.mark.parametrize(
    ("prompt", "name", "parent"),
    [
        ("dark trap beat", "trap", "hip hop"),
        ("jazz funk with horns", "funk", "funk"),
        ("UKG with a shuffled beat", "uk garage", "house"),
        ("bossa nova", "bossa nova", "latin"),
        ("8-bit video game music", "chiptune", "electronic"),
        ("lofi beats to study to", "lo-fi hip hop", "lo-fi hip hop"),
        ("jazz piano over a drill beat", "drill", "hip hop"),
        ("a slow waltz for strings", "waltz", "classical"),
        ("celtic jig", "celtic", "folk"),
    ],
)
def test_genres_are_read_with_the_one_that_they_belong_to(prompt: str, name: str, parent: str) -> None:
    assert read_prompt(prompt).genre == name
    assert genre(name).parent == parent


def test_parents_are_genres_of_their_own() -> None:
    for traits in load_genres().values():
        assert genre(traits.parent).parent == traits.parent


def test_the_report_is_in_the_prompts_order_and_honest() -> None:
    reading = read_prompt("House, 124 BPM, oboe and 909, no brass, female vocals, zorgs")
    assert [(each.words, each.meaning) for each in reading.understood] == [
        ("House", "house"), ("124 BPM", "124 BPM"), ("oboe", "clarinet"), ("909", "drum machine"),
        ("no brass", "no brass"),
    ]  # fmt: skip
    assert reading.ignored == ("female vocals", "zorgs")


def untold(prompt: str) -> list[str]:
    """The words of a prompt that are neither in the words that the reader tells nor fillers or cues by themselves."""
    reading = read_prompt(prompt)
    told = {
        token.word
        for words in (*(each.words for each in reading.understood), *reading.ignored)
        for token in tokenize(words)
    }
    senses = load_lexicon().senses.items()
    known = {word for words, sense in senses if sense.cue or (sense.filler and len(words) == 1) for word in words}
    words = {token.word for token in tokenize(prompt) if re.match(r"\w", token.word)} - known
    # A compound's parts are told apart: "Klavier" of "Klavierstück".
    return sorted(word for word in words if not any(each in word or word in each for each in told))


@functools.cache
def vocabulary() -> list[str]:
    """Every phrase of the data that says something, and what is no phrase."""
    known = {" ".join(words) for words, sense in load_lexicon().senses.items() if not sense.filler}
    others = (
        "zorg",
        "808",
        "122",
        "at bar 9",
        "in Am",
        "3/4",
        "80s",
        "8 bar",
        "30 seconds",
        "128 bpm",
        "48 kHz",
        ",",
        ".",
    )
    return sorted(known | set(others))


@given(st.lists(st.deferred(lambda: st.sampled_from(vocabulary())), max_size=8))
def test_no_content_word_is_dropped_silently(words: list[str]) -> None:
    assert untold(" ".join(words)) == []


@given(st.text(max_size=500))
def test_any_text_can_be_read(text: str) -> None:
    read_prompt(text)
