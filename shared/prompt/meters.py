"""Finds meters: 7/8, "six-eight time", "in five"."""

import re
from typing import NamedTuple

# Meters that count without a word such as "time" next to them.
METERS = {"2/2", "3/2"} | {f"{count}/{unit}" for unit in (4, 8, 16) for count in range(2, 22)}
# Meters that count with such a word: all but "1/2 time", which is half time.
NAMED_METERS = {f"{count}/{unit}" for unit in (1, 2, 4, 8, 16, 32) for count in range(1, 33)} - {"1/2"}

_METER = re.compile(
    r"(?<![\w/.,])(\d{1,2}) ?[/⁄] ?(\d{1,2})(?![A-Za-z0-9_/]|\.\d)"
    r"(?![ -](?:of|through|into|way|length|view|scale|aspect|ratio|inch|bits?|bars?|notes?|delays?)\b)",
    re.IGNORECASE,
)
_COUNTS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "nine": 9, "eleven": 11, "twelve": 12,
    "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7,
}  # fmt: skip
_UNITS = {"two": 2, "four": 4, "eight": 8}
_NAMES = "|".join(_COUNTS)
_UNIT_NAMES = "|".join(_UNITS)
_AFTER = r"[ -](?:time|meter|metre|beat|groove|feel)\b"
_WORDED_METERS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b({_NAMES}|\d+)(?:-({_UNIT_NAMES}|\d+)(?: \w+)?| ({_UNIT_NAMES})){_AFTER}",
        r"(?<![\w/.,:])(\d{1,2})(?: ?[/⁄:] ?| )(\d{1,2})(?:ths?)?[ -](?:time|meter|metre)\b",
        r"\b(?:meter|metre|time signature)(?: of| is| ?[:=])? ?(\d{1,2}) ?[/⁄:] ?(\d{1,2})(?![\w/:])",
        rf"\bin ({_NAMES})[ -]({_UNIT_NAMES})\b",
        r"\b(three|five|six|seven|nine|twelve)-(four|eight)\b(?!-)",
        rf"\b({_NAMES}|\d{{1,2}})[ -](viertel|achtel)[ -]?takt\b",
        r"(\d{1,2})分の(\d{1,2})拍子",
    )
]
# "in five", "in 7": a count alone, of quarter notes or, from six on, of eighths.
_COUNTED = re.compile(rf"\b(?:counted |played |felt )?in ({_NAMES})(?=$|[,.;:)]| and\b)", re.IGNORECASE)
_UNITS_IN_GERMAN = {"viertel": 4, "achtel": 8}
_EIGHTHS = ("6", "7", "9", "11", "12")


class Meter(NamedTuple):
    """A meter and the place that states it."""

    name: str
    match: re.Match[str]


def find_meters(text: str) -> tuple[list[Meter], list[re.Match[str]]]:
    """The meters that a text states, the surest last form after plain fractions; and all places that look like one."""
    bare = list(_METER.finditer(text))
    named = [match for form in _WORDED_METERS for match in form.finditer(text)]
    counted = list(_COUNTED.finditer(text))
    meters = [Meter(name, match) for match in bare if (name := _name(match)) in METERS]
    meters += [Meter(name, match) for match in named if (name := _name(match)) in NAMED_METERS]
    meters += [Meter(_counted(match), match) for match in counted]
    return meters, bare + named


def _name(match: re.Match[str]) -> str:
    count, *units = (group.lower() for group in match.groups() if group)
    unit = _UNITS.get(units[0]) or _UNITS_IN_GERMAN.get(units[0]) or units[0]
    if match.re is _WORDED_METERS[-1]:
        # Japanese names the unit first.
        count, unit = str(unit), count
    return f"{_COUNTS.get(count, count)}/{unit}"


def _counted(match: re.Match[str]) -> str:
    count = str(_COUNTS[match[1].lower()])
    return f"{count}/{8 if count in _EIGHTHS else 4}"
