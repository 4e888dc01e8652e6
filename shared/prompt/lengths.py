"""Finds lengths in bars and in time, and other numbers with a unit: decades, rates, sizes."""

import re
from collections.abc import Iterator

from shared.music import MOST_BARS
from shared.prompt.claims import Claim
from shared.prompt.decades import find_decades

_NUMBERS = {
    "a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16, "twenty": 20, "twenty-four": 24, "thirty": 30, "thirty-two": 32,
    "forty": 40, "forty-five": 45, "sixty": 60, "sixty-four": 64, "ninety": 90,
    "ein": 1, "eine": 1, "zwei": 2, "drei": 3, "vier": 4, "acht": 8, "sechzehn": 16, "dreißig": 30,
    "un": 1, "una": 1, "dos": 2, "tres": 3, "cuatro": 4, "ocho": 8, "dieciséis": 16, "treinta": 30,
    "une": 1, "deux": 2, "trois": 3, "quatre": 4, "huit": 8, "seize": 16, "trente": 30,
    "um": 1, "uma": 1, "dois": 2, "duas": 2, "três": 3, "quatro": 4, "oito": 8, "dezesseis": 16, "trinta": 30,
}  # fmt: skip
_DIGITS = r"\d{1,4}(?:[.,]\d{1,3})?"
_COUNT = rf"(?<![\w.,/:-])({_DIGITS}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_BAR = r"(?:bars?\b|measures?\b|takten?\b|takte\b|compases\b|compás\b|compassos?\b|mesures?\b|小節|마디|小节)"
_BARS = re.compile(rf"{_COUNT}(?: ?-? ?){_BAR}(?! blues)", re.IGNORECASE)
# "every 4 bars", "8 bar intro" and "12-bar blues" are no lengths of the piece.
_SECTION = "intro|outro|break(?!beat|core)|build|drop|verse|chorus|bridge"
_OF_A_PART = re.compile(
    rf"(?:every|after|first|last|each|next|within|per|until|the|alle|cada|chaque|(?:{_SECTION})\w*(?: of| for|,)?) $",
    re.IGNORECASE,
)
_PART = re.compile(
    rf" ?-?(?:(?:of )?(?:an? )?(?:\w+ )?(?:{_SECTION})|blues|fill|section|phrase|cycle|later|before|after|in\b)",
    re.IGNORECASE,
)
# Where a section begins: "at bar 9", "after 8 bars", "8 bars in"; "at 30 seconds", "at 0:45".
_AT_BAR = re.compile(
    rf"\b(?:(?:at|from|on|by|in|around|starting (?:at|on|in|from)|hits (?:at|on)) )?(?:the )?"
    rf"(?:bar|measure|takt|compás|compasso|mesure) (?:number )?(\d{{1,3}})\b"
    rf"|\bafter (?:the first )?{_COUNT} {_BAR}|{_COUNT} {_BAR} in\b(?! [a-h]\b| the| [3-9])",
    re.IGNORECASE,
)
_AT_TIME = re.compile(
    r"\b(?:at|after|around|from|by)(?: about| around| the)? "
    r"(?:(\d{1,2}):([0-5]\d)(?![\w:])|(\d{1,3}) ?-?(?:s\b|secs?\b|seconds?\b)(?: mark)?(?! (?:long|in length|total)))",
    re.IGNORECASE,
)
_MINUTE = r"(?:minutes?|mins?|minuten?|minutos?|min)\b|分間?|분"
_SECOND = r"(?:seconds?|secs?|sekunden?|segundos?|secondes?|sec|sek|seg)\b|秒間?|초"
_TIMES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_COUNT} ?-?(?P<min>{_MINUTE})(?:,? ?(?:and |und |y |et |e )?(\d{{1,2}})(?: ?-?(?:{_SECOND}))?(?![\w.%]))?",
        rf"{_COUNT} ?-?(?:{_SECOND})",
        r"(?<![\w.:/])(\d{1,2}):(?P<min>)([0-5]\d)(?![\w:])(?= ?(?:min|long|in length|of music|total))",
        r"(?<![\w.,/:'’-])(?!303|606|707|808|909)(\d{1,3})s\b",
    )
]
# The forms with a number in words take long, and each contains one of these.
_DIGIT = re.compile(r"\d")
_BAR_NAME = re.compile(r"bar|measure|takt|comp[aá]s|mesure|小節|마디|小节", re.IGNORECASE)
_TIME_NAME = re.compile(r"min|se[ckg]|[分秒분초]", re.IGNORECASE)
# Numbers that are about the file, not the music. Eight bits are a style.
# "4 am", "11:30 p.m.": but 7 Am is a key.
_CLOCK = re.compile(r"(?<![\w.,:/])(?:1[0-2]|0?[1-9])(?:[:.][0-5]\d)? ?(?:[ap]\.m\.|[ap]m\b|[AP]M\b)")
_OTHER = re.compile(
    r"(?<![\w.,/])\d+(?:[.,]\d+)? ?-?(?:kbps|kb/s|kbit/s|khz|hz|mhz|db|dbfs|lufs|mb|kb|fps|ms|%|percent"
    r"|(?<!\b8)(?<!\b8[ -])bits?(?: (?:pcm|audio|wav|float|depth))?|p(?=\b)|k(?=\b))(?![\w])"
    r"|\b\d{1,2}-?bit (?:pcm|audio|wav|depth)\b"
    r"|(?<![\w.,])[257]\.[01](?:\.\d)?(?= (?:surround|audio|mix))",
    re.IGNORECASE,
)


def find_lengths(text: str) -> Iterator[Claim]:
    """Numbers of bars, lengths in time, places of sections, decades, and numbers about the file."""
    has_digit, has_bar, has_time = (form.search(text) is not None for form in (_DIGIT, _BAR_NAME, _TIME_NAME))
    yield from (_bars(match) for match in _BARS.finditer(text)) if has_bar else ()
    for match in _AT_BAR.finditer(text) if has_bar else ():
        bar, after, into = match.groups()
        number = float(bar) if bar else _number(after or into) + 1
        yield Claim(match.start(), match.end(), "bar", f"at bar {number:.0f}", number)
    for match in _AT_TIME.finditer(text) if has_digit else ():
        minutes, rest, seconds = match.groups()
        number = float(seconds) if seconds else 60 * float(minutes) + float(rest)
        yield Claim(match.start(), match.end(), "moment", f"after {number:g} seconds", number)
    yield from find_decades(text)
    for match in _OTHER.finditer(text) if has_digit else ():
        yield Claim(match.start(), match.end(), "other", "number", why="production")
    for match in _CLOCK.finditer(text) if has_digit else ():
        yield Claim(match.start(), match.end(), "other", "time of day", why="scene")
    for form in _TIMES if has_digit or has_time else ():
        for match in form.finditer(text):
            yield _seconds(match)


def _bars(match: re.Match[str]) -> Claim:
    number = _number(match[1])
    text = match.string
    is_part = _OF_A_PART.search(text[max(match.start() - 16, 0) : match.start()]) or _PART.match(text, match.end())
    if number != int(number) or not 1 <= number <= MOST_BARS:
        return Claim(match.start(), match.end(), "other", "no bars", why="range")
    if is_part:
        return Claim(match.start(), match.end(), "part bars", f"{number:.0f} bars", number)
    return Claim(match.start(), match.end(), "bars", "1 bar" if number == 1 else f"{number:.0f} bars", number)


def _seconds(match: re.Match[str]) -> Claim:
    seconds = _number(match[1])
    if match.groupdict().get("min") is not None:
        seconds = 60 * seconds + float(match[3] or 0)
    return Claim(match.start(), match.end(), "seconds", f"{seconds:g} seconds", seconds)


def _number(word: str) -> float:
    return float(_NUMBERS.get(word.lower()) or word.replace(",", "."))
