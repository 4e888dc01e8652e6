"""Safe terminal output."""

import pytest

from deploy.terminal import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("piano [/intro] 100%", "piano [/intro] 100%"),
        ("two\nlines\tand a\rreturn", "two lines and a return"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J\x7f\x00", r"\x9b2J\x7f\x00"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("\u2028\u2029\ufeff", r"\u2028\u2029\ufeff"),
        ("\udcff", r"\udcff"),
        ("日本語 – café\u00a0♫ \U0001f469\u200d\U0001f3a4", "日本語 – café\u00a0♫ \U0001f469\u200d\U0001f3a4"),
    ],
)
def test_only_control_characters_are_escaped(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_newlines_are_kept_on_request() -> None:
    assert plain("one\n\x1btwo", keep="\n") == "one\n\\x1btwo"
