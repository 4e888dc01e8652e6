"""Finds tempos as numbers. A number is a tempo only next to "bpm" or a synonym: 808, 80s and 320kbps never are."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

# The usual range of tempos in BPM, and an upper bound for any tempo.
LOWEST, HIGHEST, TOO_FAST = 20, 400, 1000

# Without one, only a number in words is a tempo. Most prompts of emoji or characters have none.
_DIGIT = re.compile(r"\d")
_DIGITS = r"(\d+(?:[.,]\d+)?)"
_NUMBER = rf"(?<![\w.,/]){_DIGITS}"
_PER_MINUTE = r"(?:per|an?|/|pro|in the|in einer|por|par|à la)[ ]?min[^\W\d_]*"
_BEATS = (
    r"(?:quarter[ -]notes?|beats?|schläge|pulsaciones|latidos|golpes|batidas|pulsações|battements|temps)"
    rf"[ ]?{_PER_MINUTE}"
)
_BPM = rf"(?:b\.?p\.?m(?![^\W\d_]*[a-rt-z])|bmp\b|{_BEATS}|拍/分|拍每分)"
_GAP = r"(?:-?ish)?\)?[ ]?-?[ ]?\(?"
_TO = r"[ ]?(?:->|→|-|–|—|~|to|bis|a|à|até|から)[ ]?"
_IS = r"(?:[ ]?(?:[:=~は]|-(?= )|of|is|at|to|de|von|range|roughly|approx(?:imately|\.)?|around|about|\bca?\.?))*[ ]?\(?"
# Excludes "mid-tempo", which is a style.
_WORD = r"(?<![\w-])(?<!up )(?<!mid )(?<!down )tempo"
_FOREIGN_WORD = r"(?:テンポ|템포|速度|毎分)"
# The number must not belong to another word: 70's, 2x, 50%, 12 string.
_ENDS = (
    r"(?![\w%/]|[.,]\d|[-–]\w|['’]\w|[ ]?[-–]?[ ]?"
    r"(?:bits?|steps?|strings?|bars?|keys|voices?|tracks?|pieces?|tones?|inch|hz|khz|kbps)\b)"
)
# Quarter notes of each note value.
_NOTES = {
    "half": Fraction(2), "minim": Fraction(2), "quarter": Fraction(1), "crotchet": Fraction(1), "♩": Fraction(1),
    "eighth": Fraction(1, 2), "quaver": Fraction(1, 2), "♪": Fraction(1, 2),
}  # fmt: skip
# "dotted quarter = 60", "♪=180": notes of this value a minute.
_NOTE_TEMPO = re.compile(
    rf"(?:\b(?P<dotted>dotted[ -])?(?P<name>half|minim|quarter|crotchet|eighth|quaver)(?:[ -]notes?)? ?[=:]"
    rf"|(?P<sign>[♩♪])(?P<dot>\.)?){_IS}{_DIGITS}(?:{_TO}{_DIGITS})?(?:-?ish\b)?{_ENDS}",
    re.IGNORECASE,
)
# A tempo that is bounded on one side leaves this share of it on the other.
_SLOWER, _FASTER = Fraction(3, 4), Fraction(5, 4)
_AT_MOST = re.compile(
    r"(?:\b(?:at most|(?:no|not) (?:more|faster|higher) than|up to|under|below|less than|slower than|max(?:imum|\.)?)"
    rf"(?: of)?|[<≤]=?) ?{_DIGITS}{_GAP}{_BPM}",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(
    r"(?:\b(?:at least|(?:no|not) (?:less|slower|lower) than|over|above|more than|faster than|min(?:imum|\.)?)(?: of)?"
    rf"|[>≥]=?) ?{_DIGITS}{_GAP}{_BPM}",
    re.IGNORECASE,
)
# The most certain patterns first.
_TEMPOS = [
    _AT_MOST,
    _AT_LEAST,
    _NOTE_TEMPO,
    *(
        re.compile(pattern, re.IGNORECASE)
        for pattern in (
            rf"{_NUMBER}(?:[ -]?bpm)?{_TO}{_DIGITS}{_GAP}{_BPM}",
            rf"between {_NUMBER}(?:[ -]?bpm)? and {_DIGITS}{_GAP}{_BPM}",
            r"(?<![\w.,/])(\d{2,3}) ?/ ?\d{2,3}" + _GAP + _BPM,
            rf"{_NUMBER}{_GAP}{_BPM}",
            rf"(?:\bb\.?p\.?m\.?|{_WORD}(?= ?[:=])){_IS}{_DIGITS}(?:{_TO}{_DIGITS})?(?:-?ish\b)?{_ENDS}",
            rf"{_FOREIGN_WORD}{_IS}{_DIGITS}",
        )
    ),
]
# These count as a tempo only within the usual range.
_LIKELY_TEMPOS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:{_WORD}|\bmm\b){_IS}{_DIGITS}(?:{_TO}{_DIGITS})?{_ENDS}",
        rf"{_NUMBER} tempo\b(?! (?:changes?|shifts?)\b)",
    )
]
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ONES = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
# "one hundred and twenty-four bpm", "one twenty", "ninety": hundreds, tens and ones.
_SPELT_TEMPO = re.compile(
    rf"\b(?:(one|a|two)[ -](?:hundred(?: and)?[ -]?)?)?({'|'.join(_TENS)})?[ -]?({'|'.join(_ONES)})?[ -]{_BPM}",
    re.IGNORECASE,
)
# "techno at 132": the number ends its phrase, and is no year, rate or machine.
_AT_NUMBER = re.compile(
    r"\bat (?:around |about |roughly )?(\d{2,3}(?:\.\d+)?)(?= ?(?:$|[,;)]|\.(?!\d)|(?:in|with|and|for)\b))",
    re.IGNORECASE,
)
_AT_RANGE = (40, 240)


class Tempos(NamedTuple):
    """The tempos that a text states.

    Attributes:
        first: slowest and fastest of the first one that is possible; None if there is none.
        impossible: the number of the first one if none is possible.
        matches: all places that state one.
    """

    first: tuple[Fraction, Fraction] | None
    impossible: str | None
    matches: list[re.Match[str]]


def find_tempos(text: str) -> Tempos:
    """Find the first tempo in the usual range, else the first tempo at all."""
    sure, likely = list[re.Match[str]](), list[re.Match[str]]()
    if _DIGIT.search(text):
        sure += [match for form in _TEMPOS for match in form.finditer(text)]
        likely += [match for form in _LIKELY_TEMPOS for match in form.finditer(text) if _is_usual(tempo_range(match))]
        likely += [match for match in _AT_NUMBER.finditer(text) if _AT_RANGE[0] <= float(match[1]) <= _AT_RANGE[1]]
    sure += [match for match in _SPELT_TEMPO.finditer(text) if any(match.groups())]
    first = _first(sure, likely)
    return Tempos(first, sure[0][1] if sure and first is None else None, sure + likely)


def tempo_range(match: re.Match[str]) -> tuple[Fraction, Fraction]:
    """The slowest and the fastest tempo of a match."""
    if match.re is _SPELT_TEMPO:
        return (_spelt(match),) * 2
    # "1,200" has no decimals. Digits beyond the 40th do not change a tempo.
    groups = [group for group in match.groups() if group and group[0].isdigit()]
    plain = [re.sub(r",(?=\d{3}$)", "", number).replace(",", ".") for number in groups]
    numbers = [_quarters(match) * Fraction(number[:40].rstrip(".")) for number in plain]
    slow, fast = min(numbers), max(numbers)
    if match.re is _AT_MOST:
        return Fraction(round(slow * _SLOWER)), fast
    return slow, Fraction(round(fast * _FASTER)) if match.re is _AT_LEAST else fast


def _quarters(match: re.Match[str]) -> Fraction:
    """The quarter notes of the note value that a tempo counts."""
    if match.re is not _NOTE_TEMPO:
        return Fraction(1)
    value = _NOTES[(match["name"] or match["sign"]).lower()]
    return value * Fraction(3, 2) if match["dotted"] or match["dot"] else value


def _spelt(match: re.Match[str]) -> Fraction:
    hundreds, tens, ones = (group.lower() if group else "" for group in match.groups())
    number = 100 * {"": 0, "two": 2}.get(hundreds, 1)
    number += 10 * (_TENS.index(tens) + 2) if tens else 0
    return Fraction(number + (_ONES.index(ones) + 1 if ones else 0))


def describe_tempo(tempo: tuple[Fraction, Fraction]) -> str:
    """A tempo in plain words, such as "120–128 BPM"."""
    return "–".join(dict.fromkeys(f"{float(number):.10g}" for number in tempo)) + " BPM"


def _first(sure: Sequence[re.Match[str]], likely: Sequence[re.Match[str]]) -> tuple[Fraction, Fraction] | None:
    found = [pair for match in sure if 0 < (pair := tempo_range(match))[0] <= pair[1] < TOO_FAST]
    usual = [pair for pair in found + [tempo_range(match) for match in likely] if _is_usual(pair)]
    return next(iter(usual + found), None)


def _is_usual(pair: tuple[Fraction, Fraction]) -> bool:
    return LOWEST <= pair[0] <= pair[1] <= HIGHEST
