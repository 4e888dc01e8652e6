"""Reads tempo, key, meter and "no drums" from a prompt. Ambiguous statements are ignored.

A number is a tempo only next to "bpm" or a synonym: 808, 80s and 320kbps never are.
"""

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction

from shared.prompt.keys import read_key
from shared.prompt.reading import Reading

# The usual range of tempos in BPM, and an upper bound for any tempo.
LOWEST, HIGHEST, TOO_FAST = 20, 400, 1000
# Meters that count without a word such as "time" next to them.
METERS = {"2/2", "3/2"} | {f"{count}/{unit}" for unit in (4, 8, 16) for count in range(2, 22)}
# Meters that count with such a word: all but "1/2 time", which is half time.
NAMED_METERS = {f"{count}/{unit}" for unit in (1, 2, 4, 8, 16, 32) for count in range(1, 33)} - {"1/2"}

_DIGITS = r"(\d+(?:[.,]\d+)?)"
_NUMBER = rf"(?<![\w.,/]){_DIGITS}"
_BEATS = r"(?:quarter[ -]notes?|beats?|schläge)[ ]?(?:per|an?|/|pro|in the|in einer)[ ]?min"
_BPM = rf"(?:b\.?p\.?m(?:\b|(?=s\b))|bmp\b|{_BEATS})"
_GAP = r"(?:-?ish)?\)?[ ]?-?[ ]?\(?"
_TO = r"[ ]?(?:-|–|—|to|bis)[ ]?"
_IS = r"(?:[ ]?(?:[:=~]|-(?= )|of|is|at|to|range|roughly|approx(?:imately|\.)?|around|about|\bca?\.?))*[ ]?\(?"
# Excludes "mid-tempo", which is a style.
_WORD = r"(?<![\w-])(?<!up )(?<!mid )(?<!down )tempo"
# The number must not belong to another word: 70's, 2x, 50%, 12 string.
_ENDS = (
    r"(?![\w%/]|[.,]\d|[-–]\w|['’]\w|[ ]?[-–]?[ ]?"
    r"(?:bits?|steps?|strings?|bars?|keys?|voices?|tracks?|pieces?|tones?|inch|hz|khz|kbps)\b)"
)
# The most certain patterns first.
_TEMPOS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NUMBER}(?:[ -]?bpm)?{_TO}{_DIGITS}{_GAP}{_BPM}",
        rf"between {_NUMBER}(?:[ -]?bpm)? and {_DIGITS}{_GAP}{_BPM}",
        r"(?<![\w.,/])(\d{2,3}) ?/ ?\d{2,3}" + _GAP + _BPM,
        rf"{_NUMBER}{_GAP}{_BPM}",
        rf"(?:\bb\.?p\.?m\.?|[♩♪]|{_WORD}(?= ?[:=])){_IS}{_DIGITS}(?:{_TO}{_DIGITS})?{_ENDS}",
    )
]
# These count as a tempo only within the usual range.
_LIKELY_TEMPOS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:{_WORD}|\bmm\b){_IS}{_DIGITS}(?:{_TO}{_DIGITS})?{_ENDS}",
        rf"{_NUMBER} tempo\b(?! (?:changes?|shifts?)\b)",
    )
]
_METER = re.compile(
    r"(?<![\w/.,])(\d{1,2}) ?[/⁄] ?(\d{1,2})(?![\w/]|\.\d)"
    r"(?![ -](?:of|through|into|way|length|view|scale|aspect|ratio|inch|bits?|bars?|notes?|delays?)\b)",
    re.IGNORECASE,
)
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "nine": 9, "twelve": 12}
_UNITS = {"two": 2, "four": 4, "eight": 8}
_WORDED_METERS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b({'|'.join(_COUNTS)}|\d+)(?:-({'|'.join(_UNITS)}|\d+)(?: \w+)?| ({'|'.join(_UNITS)}))"
        r"[ -](?:time|meter|metre|beat|groove|feel)\b",
        r"(?<![\w/.,:])(\d{1,2})(?: ?[/⁄:] ?| )(\d{1,2})(?:ths?)?[ -](?:time|meter|metre)\b",
        r"\b(?:meter|metre|time signature)(?: of| is| ?[:=])? ?(\d{1,2}) ?[/⁄:] ?(\d{1,2})(?![\w/:])",
    )
]
# Excludes parts of drums and parts of the piece: "no drum solo", "no drums in the intro".
_NO_DRUMS = re.compile(
    r"\b(?:no|without|zero)(?: \w+,| any)* "
    r"(?:(?:drum|beat)(?![-'’&\w]| ?&| (?!(?:kits?|sets?|tracks?|parts?|sounds?|or|at all|please|whatsoever)\b)\w)"
    r"|(?:drums|drumming|beats|percussion)\b"
    r"(?![ -](?:(?:machine|solo|fill|drop|roll|break)s?\b|(?:per|until|till|before|at first)\b"
    r"|(?:at|in|during|for) the (?:intro|outro|verse|chorus|bridge|break|first|last|start|beginning))))"
    r"|\bdrumless\b",
    re.IGNORECASE,
)
# A word with a digit in it.
_NUMBERED = re.compile(r"(?<![^\s,;:()])[^\s,;:()]*\d[^\s,;:()]*")


def read_prompt(prompt: str) -> Reading:
    """Read tempo, key, meter and "no drums" from a prompt; the first statement of each wins."""
    text = _plain(prompt)
    tempos = [match for form in _TEMPOS for match in form.finditer(text)]
    likely = [match for form in _LIKELY_TEMPOS for match in form.finditer(text) if _is_usual(_range(match))]
    bare = list(_METER.finditer(text))
    named = [match for form in _WORDED_METERS for match in form.finditer(text)]
    meters = [meter for match in bare if (meter := _meter(match)) in METERS]
    meters += [meter for match in named if (meter := _meter(match)) in NAMED_METERS]
    tempo = _tempo(tempos, likely)
    return Reading(
        tempo=tempo,
        impossible_tempo=tempos[0][1] if tempos and tempo is None else None,
        key=read_key(text),
        meter=next(iter(meters), None),
        refused=frozenset({"drums"}) if _NO_DRUMS.search(text) else frozenset(),
        words=_without_numbers(prompt, text, tempos + likely + bare + named),
    )


def _plain(prompt: str) -> str:
    """Normalise a prompt's characters: "120½" becomes 120.5; superscript digits (footnotes) are removed."""
    text = re.sub(
        r"(?<=\d) ?([¼½¾⅐-⅞])", lambda match: f"{unicodedata.numeric(match[1]):.9f}".lstrip("0").rstrip("0"), prompt
    )
    text = "".join(
        character
        for character in text
        if unicodedata.category(character) != "Cf" and not (character.isdigit() and _is_raised(character))
    )
    text = re.sub("[\u2010-\u2012\u2212]", "-", unicodedata.normalize("NFKC", text).replace("\ufe0f", ""))
    return re.sub(r"\s+", " ", text)


def _is_raised(character: str) -> bool:
    return unicodedata.decomposition(character).startswith(("<super>", "<sub>"))


def _tempo(sure: Sequence[re.Match[str]], likely: Sequence[re.Match[str]]) -> tuple[Fraction, Fraction] | None:
    """The first tempo in the usual range, else the first tempo at all."""
    found = [pair for match in sure if 0 < (pair := _range(match))[0] <= pair[1] < TOO_FAST]
    usual = [pair for pair in found + [_range(match) for match in likely] if _is_usual(pair)]
    return next(iter(usual + found), None)


def _is_usual(pair: tuple[Fraction, Fraction]) -> bool:
    return LOWEST <= pair[0] <= pair[1] <= HIGHEST


def _range(match: re.Match[str]) -> tuple[Fraction, Fraction]:
    # "1,200" has no decimals. Digits beyond the 40th do not change a tempo.
    plain = [re.sub(r",(?=\d{3}$)", "", number).replace(",", ".") for number in match.groups() if number]
    numbers = [Fraction(number[:40].rstrip(".")) for number in plain]
    return min(numbers), max(numbers)


def _meter(match: re.Match[str]) -> str:
    count, *units = (group.lower() for group in match.groups() if group)
    return f"{_COUNTS.get(count, count)}/{_UNITS.get(units[0], units[0])}"


def _without_numbers(prompt: str, text: str, kept: Sequence[re.Match[str]]) -> str:
    """The prompt without words that contain digits, except those in `kept`; unchanged if no words would remain.

    Args:
        prompt: as the client sent it.
        text: the prompt after `_plain`.
        kept: matches in `text`.
    """

    def drop(match: re.Match[str]) -> str:
        return match[0] if any(match.start() < known.end() and known.start() < match.end() for known in kept) else ""

    rest = _NUMBERED.sub(drop, text)
    if rest == text or not re.search(r"\w", rest):
        return prompt
    return re.sub(r"\s+(?=[\s,;:.)])|(?<=[(])\s+", "", rest).strip(" ,;:")
