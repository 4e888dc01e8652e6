"""Prompts as components."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompts import VOCABULARY, PromptComponents, build_prompt, parse_prompt
from shared.prompt.reader import read_prompt
from shared.prompt.reading import Ignored, Reading

KEYS = ("A minor", "F# major", "Bb minor", "E flat major", "C-Dur", "F#m")
UNKNOWN = ("a zither", "a police siren", "320kbps", "kalimbaphone solo", "🎶", "Ω", "v2", "trading fours")
FIRST = st.one_of(
    st.sampled_from([genre.name for genre in VOCABULARY.genres]),
    st.sampled_from([f"{mood} music" for mood in VOCABULARY.moods]),
    st.sampled_from(UNKNOWN),
)
PHRASES = st.one_of(
    st.sampled_from([f"{tempo.name} tempo" for tempo in VOCABULARY.tempos]),
    st.integers(20, 400).map(lambda bpm: f"{bpm} BPM"),
    st.floats(40, 240).map(lambda bpm: f"{bpm:.2f} bpm"),
    st.tuples(st.integers(60, 120), st.integers(1, 60)).map(lambda pair: f"{pair[0]}-{sum(pair)} bpm"),
    st.sampled_from(KEYS).map(lambda key: f"in {key}"),
    st.sampled_from(["3/4", "4/4", "6/8", "7/8", "in 21/16", "waltz"]),
    st.sampled_from([f"{mood} mood" for mood in VOCABULARY.moods]),
    st.lists(st.sampled_from(VOCABULARY.instruments), min_size=1, max_size=4, unique=True).map(
        lambda names: f"with {' and '.join(names)}"
    ),
    st.sampled_from(VOCABULARY.instruments).map(lambda name: f"no {name}"),
    st.sampled_from(["no vocals", "only drums", "solo piano", "with an intro", "fade out", "8 bars", "30 seconds"]),
    st.sampled_from(UNKNOWN),
)
PROMPTS = st.tuples(FIRST, st.lists(PHRASES, max_size=5)).map(lambda parts: ", ".join([parts[0], *parts[1]]))


def said(reading: Reading) -> Reading:
    """What a sentence can say: without the length, and without the words in which it is said."""
    return replace(
        reading,
        bars=None,
        seconds=None,
        moods=tuple(sorted(reading.moods)),
        instruments=tuple(sorted(reading.instruments)),
        understood=(),
        ignored_because=tuple(Ignored(words, "") for words in sorted(set(reading.ignored))),
        words="",
    )


@given(PROMPTS)
def test_the_sentence_of_the_components_reads_as_the_prompt(prompt: str) -> None:
    components = parse_prompt(prompt).components
    assert said(read_prompt(build_prompt(components).structured_prompt)) == said(read_prompt(prompt))


@pytest.mark.parametrize(
    ("prompt", "components"),
    [
        ("92.5 bpm in A minor, 3/4", PromptComponents(bpm=92.5, key="A minor", meter="3/4")),
        ("slow tempo", PromptComponents(tempo="slow")),
        ("60-80 bpm", PromptComponents(tempo="60-80 BPM")),
        ("120 to 126 BPM", PromptComponents(tempo="120-126 BPM")),
        ("300 bpm", PromptComponents(tempo="300 BPM")),
        ("B♭ minor, no drums", PromptComponents(key="Bb minor", custom_text="no drums")),
        ("in 21/16 time", PromptComponents(custom_text="in 21/16")),
        ("🎶", PromptComponents(custom_text="🎶")),
    ],
)
def test_what_is_stated_goes_to_its_field(prompt: str, components: PromptComponents) -> None:
    assert parse_prompt(prompt).components == components


@pytest.mark.parametrize(
    ("prompt", "components"),
    [
        (
            "8 bars of upbeat house at 124 bpm in Am with piano, no vocals",
            PromptComponents(
                genre="house", mood="happy", instruments=("piano",), bpm=124, key="A minor", bars=8,
                custom_text="no vocals",
            ),
        ),
        ("slow jazz", PromptComponents(genre="jazz", tempo="slow")),
        ("4-bar drum loop", PromptComponents(instruments=("drums",), bars=4, loop=True, custom_text="only drums")),
        ("solo harp", PromptComponents(instruments=("harp",), custom_text="only harp")),
        ("dark, tense techno", PromptComponents(genre="techno", mood="dark", custom_text="tense mood")),
        ("orchestral with a kazoo", PromptComponents(genre="orchestral", custom_text="kazoo")),
    ],
)  # fmt: skip
def test_a_sentence_fills_the_form(prompt: str, components: PromptComponents) -> None:
    assert parse_prompt(prompt).components == components


def test_a_length_in_seconds_is_beside_the_components() -> None:
    assert parse_prompt("20 seconds of jazz").duration == 20
    assert parse_prompt("jazz").duration is None


@pytest.mark.parametrize("name", [genre.name for genre in VOCABULARY.genres])
def test_a_genre_of_the_vocabulary_is_read_as_itself(name: str) -> None:
    assert parse_prompt(f"{name} music").components == PromptComponents(genre=name)


@pytest.mark.parametrize("name", VOCABULARY.moods)
def test_a_mood_of_the_vocabulary_is_read_as_itself(name: str) -> None:
    parsed = parse_prompt(f"{name} mood")
    assert (parsed.components.mood, parsed.ignored) == (name, ())


@pytest.mark.parametrize("name", VOCABULARY.instruments)
def test_an_instrument_of_the_vocabulary_is_read_as_itself(name: str) -> None:
    assert parse_prompt(f"featuring {name}").components == PromptComponents(instruments=(name,))


@pytest.mark.parametrize("name", [tempo.name for tempo in VOCABULARY.tempos])
def test_a_tempo_of_the_vocabulary_is_read_as_itself(name: str) -> None:
    assert parse_prompt(f"{name} tempo").components.tempo == name


def test_the_words_are_told_as_the_reader_read_them() -> None:
    prompt = "house at 124 bpm with a kazoo"
    parsed, reading = parse_prompt(prompt), read_prompt(prompt)
    assert (parsed.understood, parsed.ignored) == (reading.understood, reading.ignored)
    assert parsed.ignored_because == reading.ignored_because
