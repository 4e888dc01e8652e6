"""Finds chord progressions, by names or by degrees: "Am F C G", "ii-V-I". The starter chooses its own chords."""

import re
from collections.abc import Iterator

from shared.prompt.claims import Claim

_CHORD = r"[A-G][#♯♭b]?(?:maj|min|m|dim|aug|sus|add|M|°|ø|\+)?\d{0,2}(?:[#b♯♭]\d{1,2})?(?:/[A-G][#b♯♭]?)?(?![\w#♯♭'’])"
_BETWEEN = r"(?: ?[-–—→>|,] ?| )"
_DEGREE = r"[#b♯♭]?(?:VII|III|VI|IV|II|V|I|vii|iii|vi|iv|ii|v|i)(?:maj|m|sus|°|ø|\+)?\d{0,2}(?!\w)"
_PROGRESSIONS = (
    re.compile(rf"(?<![\w#♯♭'’&-]){_CHORD}(?:{_BETWEEN}{_CHORD}){{2,}}"),
    re.compile(rf"(?<![\w'’&-]){_DEGREE}(?:[-–—→]{_DEGREE})+"),
)


def find_progressions(text: str) -> Iterator[Claim]:
    """Three chords or more in a row, or two degrees or more."""
    for form in _PROGRESSIONS:
        for match in form.finditer(text):
            yield Claim(match.start(), match.end(), "other", "chords", why="harmony")
