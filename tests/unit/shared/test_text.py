"""Visible characters, bidirectional controls, escaping, and text for XML."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text import escaped, is_visible, without_bidi_controls, xml_text

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
def test_ordinary_text_is_visible_and_unchanged(text: str) -> None:
    assert is_visible(text)
    assert without_bidi_controls(text) == text


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_invisible_text_is_not_visible_at_any_length(text: str) -> None:
    assert not is_visible(text * 3)
    assert is_visible(f"{text}a{text}")


@given(st.text())
def test_no_bidi_control_remains(text: str) -> None:
    controls = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    left = without_bidi_controls(text + "\u202e\u2066\u200f\u061c")
    assert not any(unicodedata.bidirectional(each) in controls for each in left)
    assert not {"\u200e", "\u200f", "\u061c"} & set(left)


@given(
    st.text(
        st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u2800\u3164\u115f\u1160\uffa0\U0001d159")
    )
)
def test_letters_digits_and_signs_are_visible(text: str) -> None:
    assert is_visible(text) == bool(text)


@given(st.text())
def test_escaped_text_is_printable(text: str) -> None:
    shown = escaped(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


def test_an_escape_names_the_character() -> None:
    assert escaped("a\u202eb\x1b[2J\n\U000e0041é") == r"a\u202eb\x1b[2J\n\U000e0041é"
    assert escaped("a\nb\x00", keep="\n") == "a\nb\\x00"


@pytest.mark.parametrize("code", [0, 8, 0x0B, 0x1F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF])
def test_characters_that_xml_does_not_allow_are_removed(code: int) -> None:
    assert xml_text(f"a{chr(code)}b") == "ab"


def test_all_other_characters_stay_in_xml() -> None:
    text = "tab\t, line\r\n, <é> & \ud7ff\ue000\ufffd \U0001f3b9\u200d\U0010ffff"
    assert xml_text(text) == text
