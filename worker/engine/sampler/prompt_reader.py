"""Reads from a prompt what a score can be given for certain: tempo, key and meter. What is in doubt is not read.

A number is a tempo only where it stands with "bpm" or a word that means the same: 808, 80s and 320kbps never are.
"""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from worker.engine.sampler.key_names import Key, read_key

# Beats a minute that music has.
LOWEST, HIGHEST = 20, 400
METERS = {
    "2/2", "3/2", "2/4", "3/4", "4/4", "5/4", "6/4", "7/4", "3/8", "5/8", "6/8", "7/8", "9/8", "10/8", "11/8", "12/8",
    "13/8", "15/8",
}  # fmt: skip

_NUMBER = r"(?<![\w.,/])(\d{1,4}(?:[.,]\d{1,3})?)"
_BEATS = r"(?:quarter[ -]notes?|beats?|schläge)[ ]?(?:per|an?|/|pro|in the|in einer)[ ]?min"
_BPM = rf"(?:b\.?p\.?m(?:\b|(?=s\b))|bmp\b|{_BEATS})"
_TO = r"[ ]?(?:-|–|—|to|bis)[ ]?"
_RANGE = re.compile(rf"{_NUMBER}(?:[ -]?bpm)?{_TO}(\d{{1,4}}(?:[.,]\d{{1,3}})?)[ -]?{_BPM}")
_BETWEEN = re.compile(rf"between {_NUMBER}(?:[ -]?bpm)? and (\d{{1,4}}(?:[.,]\d{{1,3}})?)[ -]?{_BPM}")
_BEFORE = re.compile(rf"{_NUMBER}[ -]?{_BPM}")
_AFTER = re.compile(
    rf"(?:\bb\.?p\.?m\.?|\btempo|\bmm|[♩♪𝅘𝅥])[ ]?(?:[:=]|of|is|at|around|about|\bca?\.)?[ ]?{_NUMBER}"
    r"(?![\w%/]|[-–]\w)"
)
_METER = re.compile(r"(?<![\w/.,])(\d{1,2}) ?[/⁄] ?(\d{1,2})(?![\w/]|\.\d)(?! (?:of|length|view|scale|inch|notes?)\b)")
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "nine": 9, "twelve": 12}
_UNITS = {"two": 2, "four": 4, "eight": 8}
_SPOKEN = re.compile(
    rf"\b({'|'.join(_COUNTS)}|\d+)(?:-({'|'.join(_UNITS)}|\d+)(?: \w+)?| ({'|'.join(_UNITS)}))"
    r"[ -](?:time|meter|metre|beat|groove|feel)\b"
)
_NO_DRUMS = re.compile(r"\b(?:no|without|zero)(?: \w+,| any)* (?:drums?|drumming|beats?|percussion)\b|\bdrumless\b")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt states; None where it states nothing.

    Attributes:
        tempo: the slowest and the fastest that is meant, in quarter notes a minute; mostly the same.
        key: see `Key`.
        meter: such as 3/4.
        no_drums: whether drums are refused.
    """

    tempo: tuple[Fraction, Fraction] | None = None
    key: Key | None = None
    meter: str | None = None
    no_drums: bool = False


def read_prompt(prompt: str) -> Reading:
    """What a prompt says of tempo, key and meter; of several the first."""
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", prompt))
    folded = text.casefold()
    return Reading(_tempo(folded), read_key(text), _meter(folded), bool(_NO_DRUMS.search(folded)))


def _tempo(text: str) -> tuple[Fraction, Fraction] | None:
    """The first one that music has; a stranger one only if there is no other."""
    found = [pair for form in (_RANGE, _BETWEEN, _BEFORE, _AFTER) for pair in _tempos(form, text)]
    usual = [pair for pair in found if pair[0] >= LOWEST and pair[1] <= HIGHEST]
    return next(iter(usual + found), None)


def _tempos(form: re.Pattern[str], text: str) -> list[tuple[Fraction, Fraction]]:
    pairs = [[Fraction(number.replace(",", ".")) for number in match.groups()] for match in form.finditer(text)]
    return [(pair[0], pair[-1]) for pair in pairs if 0 < pair[0] <= pair[-1]]


def _meter(text: str) -> str | None:
    written = [f"{match[1]}/{match[2]}" for match in _METER.finditer(text)]
    spoken = [
        f"{_COUNTS.get(match[1], match[1])}/{_UNITS.get(unit, unit)}"
        for match in _SPOKEN.finditer(text)
        for unit in [match[2] or match[3]]
    ]
    return next((meter for meter in written + spoken if meter in METERS), None)
