"""Which characters show, and which turn the text around them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text import escaped, is_visible, without_bidi_controls

SAMPLES = {
    "Arabic": "موسيقى هادئة",
    "Hebrew": "מוזיקה שקטה",
    "Persian, with a joiner": "می\u200cخواهم",
    "Hindi, with a joiner": "क्\u200dष",
    "Thai": "ดนตรี",
    "Korean": "음악",
    "a family": "👨\u200d👩\u200d👧",
    "a flag": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "a heart with a selector": "❤\ufe0f",
    "notes": "♪♫ 𝄞",
    "dots": "...",
    "an emoji of a newer Unicode": "\U0001fae8",
}
INVISIBLE = [
    "\u200b", "\u2800", "\u3164", "\u00ad", "\u115f\u1160", "\uffa0", "\u2060", "\ufeff", "\u200d", "\u200c", "\u034f",
    "\u180e", "\u17b4", "\ufe0f", "\U000e0100", "\U000e0041", "\u2063", "\u2066\u2069", "\u202e",
    "\u00a0\u3000", " \t\n", "\U0001d159", "\u2028", "\ufff0", "",
]  # fmt: skip


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES)
def test_what_people_write_is_visible_and_stays_as_it_is(text: str) -> None:
    assert is_visible(text)
    assert without_bidi_controls(text) == text


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_what_shows_nothing_is_not_visible_however_much_there_is_of_it(text: str) -> None:
    assert not is_visible(text * 3)
    assert is_visible(f"{text}a{text}")


@given(st.text())
def test_no_character_that_is_left_turns_the_text_around_it(text: str) -> None:
    controls = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    left = without_bidi_controls(text + "\u202e\u2066\u200f\u061c")
    assert not any(unicodedata.bidirectional(each) in controls for each in left)
    assert not {"\u200e", "\u200f", "\u061c"} & set(left)


@given(
    st.text(
        st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u2800\u3164\u115f\u1160\uffa0\U0001d159")
    )
)
def test_a_letter_a_digit_or_a_sign_shows(text: str) -> None:
    assert is_visible(text) == bool(text)


@given(st.text())
def test_what_is_escaped_is_printable_and_the_rest_is_as_it_was(text: str) -> None:
    shown = escaped(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


def test_an_escape_tells_which_character_it_was() -> None:
    assert escaped("a\u202eb\x1b[2J\n\U000e0041é") == r"a\u202eb\x1b[2J\n\U000e0041é"
    assert escaped("a\nb\x00", keep="\n") == "a\nb\\x00"
