"""Places of a text whose numbers or letters are read as a whole, such as "124 bpm" or "F# minor"."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["tempo", "key", "meter", "bars", "seconds", "part bars", "bar", "moment", "decade", "other"]


class Claim(NamedTuple):
    """A place of a text and what it says.

    Attributes:
        start, end: the place in the text.
        kind: what it is about; "part bars" is the length of a section, "bar" and "moment" are where one begins;
            "other" is a statement that no model can follow, such as 48 kHz.
        meaning: in plain words, such as "124 BPM".
        why: the kind of reason why it is ignored, of `data/reasons.json`; None if another one comes before it.
        value: a number of bars or seconds, or of a bar from 1.
    """

    start: int
    end: int
    kind: Kind
    meaning: str
    value: float = 0
    why: str | None = None


def without_overlaps(claims: Iterable[Claim]) -> list[Claim]:
    """In the text's order; of two that overlap the earlier one, and of two that begin together the longer one."""
    kept: list[Claim] = []
    for claim in sorted(claims, key=lambda claim: (claim.start, -claim.end)):
        if not kept or kept[-1].end <= claim.start:
            kept.append(claim)
    return kept
