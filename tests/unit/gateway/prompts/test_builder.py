"""Building a prompt from fields."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompts import ComponentError, PromptComponents, build_prompt
from shared.text import is_visible

FIELDS = ("genre", "tempo", "mood", "instruments", "artist_style", "custom_text")

words = st.none() | st.text(max_size=30)
forms = st.builds(
    PromptComponents,
    genre=words,
    tempo=words,
    mood=words,
    instruments=st.none() | st.lists(st.text(max_size=10), max_size=5).map(tuple),
    artist_style=words,
    custom_text=words,
)


def part(name: str, value: Any) -> str:
    """The prompt of a single field."""
    built = build_prompt(PromptComponents(**{name: value}))
    assert built.components == {name: built.structured_prompt}
    return built.structured_prompt


def has_word(value: str | tuple[str, ...] | None) -> bool:
    texts = (value,) if isinstance(value, str) else value or ()
    return any(is_visible(text.replace(",", "")) for text in texts)


def test_all_fields_form_the_documented_example() -> None:
    built = build_prompt(
        PromptComponents(
            genre="electronic",
            tempo="fast",
            mood="energetic",
            instruments=("synthesizer", "drums"),
            artist_style="similar to Daft Punk",
        )
    )
    assert built.structured_prompt == (
        "electronic music, fast tempo, energetic mood, featuring synthesizer and drums, similar to Daft Punk"
    )
    assert built.components == {
        "genre": "electronic music",
        "tempo": "fast tempo",
        "mood": "energetic mood",
        "instruments": "featuring synthesizer and drums",
        "artist_style": "similar to Daft Punk",
    }


@given(forms)
def test_any_subset_of_fields_gives_a_sentence_of_exactly_these(form: PromptComponents) -> None:
    given_fields = [name for name in FIELDS if has_word(getattr(form, name))]
    if not given_fields:
        with pytest.raises(ValueError, match="genre"):
            build_prompt(form)
        return
    built = build_prompt(form)
    assert list(built.components) == given_fields
    assert built.structured_prompt == ", ".join(built.components.values())
    assert all(text == " ".join(text.split()) != "" for text in built.components.values())


@pytest.mark.parametrize(
    ("tempo", "text"),
    [
        ("120 BPM", "at 120 BPM"),
        ("120bpm", "at 120 BPM"),
        ("at 120 bpm", "at 120 BPM"),
        ("120", "at 120 BPM"),
        ("92.5 Bpm", "at 92.5 BPM"),
        ("  90   BPM ", "at 90 BPM"),
        ("fast", "fast tempo"),
        ("Slow Tempo", "Slow Tempo"),
        ("120 to 130 BPM", "120 to 130 BPM tempo"),
        ("5", "5 tempo"),
    ],
)
def test_a_tempo_is_phrased_from_words_or_bpm(tempo: str, text: str) -> None:
    assert part("tempo", tempo) == text


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("Daft Punk", "in the style of Daft Punk"),
        ("similar to Daft Punk", "similar to Daft Punk"),
        ("In the style of Bach", "In the style of Bach"),
        ("inspired by rain", "inspired by rain"),
        ("like a storm", "like a storm"),
        ("Likewise", "in the style of Likewise"),
    ],
)
def test_a_style_gets_an_opening_unless_it_has_one(style: str, text: str) -> None:
    assert part("artist_style", style) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("piano",), "featuring piano"),
        (("piano", "bass"), "featuring piano and bass"),
        (("piano", "bass", "drums"), "featuring piano, bass and drums"),
        (("piano", "piano", " piano "), "featuring piano"),
        (("drums", "", "piano", "drums"), "featuring drums and piano"),
    ],
)
def test_instruments_are_listed_once_in_their_order(names: tuple[str, ...], text: str) -> None:
    assert part("instruments", names) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("genre", "electronic", "electronic music"),
        ("genre", "Electronic Music", "Electronic Music"),
        ("genre", " lo-fi \n hip hop, ", "lo-fi hip hop music"),
        ("mood", "dark", "dark mood"),
        ("mood", "a dark mood", "a dark mood"),
        ("custom_text", "with rain,", "with rain"),
    ],
)
def test_a_field_gets_its_noun_once_and_normalized_whitespace(name: str, value: str, text: str) -> None:
    assert part(name, value) == text


@pytest.mark.parametrize(
    "blank",
    [
        {},
        {"genre": ""},
        {"genre": " , "},
        {"instruments": ()},
        {"instruments": ("", " ", "\u200b")},
        {"mood": "\u3164,"},
    ],
)
def test_blank_fields_alone_are_refused(blank: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_prompt(PromptComponents(**blank))


@pytest.mark.parametrize(
    "body",
    [
        '{"colour": "red"}',
        '{"genre": "' + "x" * 101 + '"}',
        '{"custom_text": "' + "x" * 301 + '"}',
        '{"instruments": [' + ", ".join(['"a"'] * 17) + "]}",
        '{"instruments": "drums"}',
        '{"tempo": 120}',
    ],
)
def test_components_beyond_their_limits_are_refused(body: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=PromptComponents)


def test_tempo_key_and_meter_become_words_and_bars_do_not() -> None:
    built = build_prompt(
        PromptComponents(genre="house", tempo="slow", bars=8, bpm=92.5, meter="3/4", key="Bbm", loop=True)
    )
    assert built.structured_prompt == "house music, slow tempo, at 92.5 BPM, in Bb minor, in 3/4"
    assert list(built.components) == ["genre", "tempo", "bpm", "key", "meter"]


def test_a_tempo_is_said_once() -> None:
    assert build_prompt(PromptComponents(tempo="124 bpm", bpm=124.0)).components == {"tempo": "at 124 BPM"}
    assert build_prompt(PromptComponents(bpm=124.0)).components == {"bpm": "at 124 BPM"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"tempo": "124", "bpm": 120.0}, "bpm"), ({"key": "H"}, "key"), ({"meter": "4/3"}, "meter"), ({"bars": 8}, "")],
)
def test_a_wrong_component_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ComponentError) as caught:
        build_prompt(PromptComponents(**fields))
    assert caught.value.field == field
