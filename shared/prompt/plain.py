"""Normalises a prompt's characters, and remembers which characters of the prompt each of them was."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# A character with its accents, the dakuten of kana included, or a run of spaces.
_UNIT = re.compile(r"(?<=\d) ?[¼½¾⅐-⅞]|\s+|.[\u0300-\u036f\u3099\u309a\uff9e\uff9f\ufe0f]*", re.DOTALL)
# They stand for a sign and the space behind it.
_WIDE_SIGNS = "，：；！？）"
_HYPHENS = re.compile("[\u2010-\u2012\u2212]")


@dataclass(frozen=True, slots=True)
class Plain:
    """A prompt with plain digits, letters, hyphens and single spaces.

    Attributes:
        text: the normalised text: "120½" is 120.5; superscript digits (footnotes) are left out.
        source: the prompt, in Unicode's composed form.
        starts: for each character of `text`, where it begins in `source`.
        ends: for each character of `text`, where it ends in `source`.
    """

    text: str
    source: str
    starts: list[int]
    ends: list[int]

    def written(self, start: int, end: int) -> str:
        """The characters of the prompt that became text[start:end]."""
        return self.source[self.starts[start] : self.ends[end - 1]] if start < end else ""


def make_plain(prompt: str) -> Plain:
    """Normalise a prompt."""
    source = unicodedata.normalize("NFC", prompt)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _UNIT.finditer(source):
        piece = _convert(match[0])
        pieces.append(piece)
        starts += [match.start()] * len(piece)
        ends += [match.end()] * len(piece)
    return Plain("".join(pieces), source, starts, ends)


@lru_cache(maxsize=1024)
def _convert(unit: str) -> str:
    if unit.isascii():
        return " " if unit.isspace() else unit
    if unit.isspace():
        return " "
    if unit in _WIDE_SIGNS:
        return unicodedata.normalize("NFKC", unit) + " "
    if unit[-1] in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞" and len(unit) < 3:
        return f"{unicodedata.numeric(unit[-1]):.9f}".lstrip("0").rstrip("0")
    kept = "".join(character for character in unit if not _is_left_out(character))
    return _HYPHENS.sub("-", re.sub(r"\s+", " ", unicodedata.normalize("NFKC", kept).replace("\ufe0f", "")))


def _is_left_out(character: str) -> bool:
    if unicodedata.category(character) == "Cf":
        return True
    return character.isdigit() and unicodedata.decomposition(character).startswith(("<super>", "<sub>"))
