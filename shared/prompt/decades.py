"""Finds decades, which are no tempos: "80s pop", "the nineties". Each stands for the instruments of its records."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import msgspec

from shared.prompt.claims import Claim, Kind

_NAMES = {
    "twenties": "1920s", "thirties": "1930s", "forties": "1940s", "fifties": "50s", "sixties": "60s",
    "seventies": "70s", "eighties": "80s", "nineties": "90s", "noughties": "00s",
}  # fmt: skip
_DECADE = re.compile(
    r"(?<![\w.,/:])(?:(?:early|late|mid)[ -])?"
    r"(?:['’](\d0)|((?:1[789]|20)\d0)|([5-9]0|00))['’]?(?:s|er|ies)\b"
    r"|\b(?:años|années|anos)(?: los)? ?['’]?(\d{2,4})\b|(\d{2,4})年代"
    # A year: a number between 1920 and 2029 without a unit.
    r"|(?<![\w.,/:$€£#-])((?:19[2-9]|20[0-2])\d)"
    r"(?![\w.,/:%°-]*[\d%°]| ?(?:k?hz|ms|bpm|bars?|kbps|x ?\d|samples|steps)\b|\w)"
    rf"|\b({'|'.join(_NAMES)})\b",
    re.IGNORECASE,
)


class Decade(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What marks the records of a decade.

    Attributes:
        genre: of a prompt that names none.
        instruments: those that its bands have rather than others.
    """

    genre: str
    instruments: tuple[str, ...]


@cache
def load_decades() -> dict[str, Decade]:
    """All decades by name, such as "80s"; read once."""
    data = (files("shared.prompt") / "data" / "decades.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Decade])


def find_decades(text: str) -> Iterator[Claim]:
    """The decades that a text names; the meaning of each is its name and instruments."""
    for match in _DECADE.finditer(text):
        name = _name(next(group for group in match.groups() if group))
        decade = load_decades().get(name)
        meaning = f"{name}: {', '.join(decade.instruments)}" if decade else ""
        kind: Kind = "decade" if decade else "other"
        yield Claim(match.start(), match.end(), kind, meaning, why=None if decade else "decade")


def decade_of(claim: Claim) -> str:
    """The name of the decade that a claim states."""
    return claim.meaning.partition(":")[0]


def _name(written: str) -> str:
    """The decade by its name in the data: "1985" and "80" are the 80s, and 1830 lies in the 1800s."""
    if written.lower() in _NAMES:
        return _NAMES[written.lower()]
    if len(written) == 4 and written[:2] in ("17", "18"):
        return f"{written[:2]}00s"
    if written[:3] in ("192", "193", "194"):
        return f"{written[:3]}0s"
    return f"{written[-2:-1]}0s"
