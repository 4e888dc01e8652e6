"""Reads from a prompt what a score can be given for certain: tempo, key and meter. What is in doubt is not read.

A number is a tempo only where it stands with "bpm" or a word that means the same: 808, 80s and 320kbps never are.
"""

import re
import unicodedata
from collections.abc import Sequence
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
_OTHER = r"(\d{1,4}(?:[.,]\d{1,3})?)"
_BEATS = r"(?:quarter[ -]notes?|beats?|schläge)[ ]?(?:per|an?|/|pro|in the|in einer)[ ]?min"
_BPM = rf"(?:b\.?p\.?m(?:\b|(?=s\b))|bmp\b|{_BEATS})"
_TO = r"[ ]?(?:-|–|—|to|bis)[ ]?"
_IS = r"[ ]?(?:[:=]|of|is|at|around|about|\bca?\.)?[ ]?"
# From the surest on.
_TEMPOS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NUMBER}(?:[ -]?bpm)?{_TO}{_OTHER}[ -]?{_BPM}",
        rf"between {_NUMBER}(?:[ -]?bpm)? and {_OTHER}[ -]?{_BPM}",
        rf"{_NUMBER}[ -]?{_BPM}",
        rf"(?:\bb\.?p\.?m\.?|\btempo|\bmm|[♩♪]){_IS}{_NUMBER}(?![\w%/]|[-–]\w)",
    )
]
_METER = re.compile(
    r"(?<![\w/.,])(\d{1,2}) ?[/⁄] ?(\d{1,2})(?![\w/]|\.\d)(?! (?:of|length|view|scale|inch|notes?)\b)", re.IGNORECASE
)
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "nine": 9, "twelve": 12}
_UNITS = {"two": 2, "four": 4, "eight": 8}
_SPOKEN = re.compile(
    rf"\b({'|'.join(_COUNTS)}|\d+)(?:-({'|'.join(_UNITS)}|\d+)(?: \w+)?| ({'|'.join(_UNITS)}))"
    r"[ -](?:time|meter|metre|beat|groove|feel)\b",
    re.IGNORECASE,
)
_NO_DRUMS = re.compile(
    r"\b(?:no|without|zero)(?: \w+,| any)* (?:drums?|drumming|beats?|percussion)\b|\bdrumless\b", re.IGNORECASE
)
# A word with a digit in it.
_NUMBERED = re.compile(r"(?<![^\s,;:()])[^\s,;:()]*\d[^\s,;:()]*")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt states; None where it states nothing.

    Attributes:
        tempo: the slowest and the fastest that is meant, in quarter notes a minute; mostly the same.
        key: see `Key`.
        meter: such as 3/4.
        no_drums: whether drums are refused.
        words: the prompt for a model to which every number is a tempo: without 808, 80s and 320kbps.
    """

    tempo: tuple[Fraction, Fraction] | None = None
    key: Key | None = None
    meter: str | None = None
    no_drums: bool = False
    words: str = ""


def read_prompt(prompt: str) -> Reading:
    """What a prompt says of tempo, key and meter; of several the first."""
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", prompt))
    tempos = [match for form in _TEMPOS for match in form.finditer(text)]
    meters = [match for form in (_METER, _SPOKEN) for match in form.finditer(text)]
    return Reading(
        _tempo(tempos),
        read_key(text),
        next((meter for match in meters if (meter := _meter(match)) in METERS), None),
        bool(_NO_DRUMS.search(text)),
        _without_numbers(prompt, text, tempos + meters),
    )


def _tempo(matches: Sequence[re.Match[str]]) -> tuple[Fraction, Fraction] | None:
    """The first one that music has; a stranger one only if there is no other."""
    pairs = [[Fraction(number.replace(",", ".")) for number in match.groups()] for match in matches]
    found = [(pair[0], pair[-1]) for pair in pairs if 0 < pair[0] <= pair[-1]]
    usual = [pair for pair in found if pair[0] >= LOWEST and pair[1] <= HIGHEST]
    return next(iter(usual + found), None)


def _meter(match: re.Match[str]) -> str:
    count, *units = (group.lower() for group in match.groups() if group)
    return f"{_COUNTS.get(count, count)}/{_UNITS.get(units[0], units[0])}"


def _without_numbers(prompt: str, text: str, kept: Sequence[re.Match[str]]) -> str:
    """A prompt without numbers but those of some matches in its normalised text; as it is if that leaves nothing."""

    def drop(match: re.Match[str]) -> str:
        return match[0] if any(match.start() < known.end() and known.start() < match.end() for known in kept) else ""

    rest = _NUMBERED.sub(drop, text)
    if rest == text or not re.search(r"\w", rest):
        return prompt
    return re.sub(r"\s+(?=[\s,;:.)])|(?<=[(])\s+", "", rest).strip(" ,;:")
