"""Reads which sections a prompt asks for, and where: "an 8-bar intro", "drop at bar 9", "breakdown in the middle"."""

from collections.abc import Sequence

from shared.prompt.phrases import Phrase
from shared.prompt.reading import SectionWish
from shared.prompt.tokens import Gap

# Words that may stand between a section and its place: "a drop with heavy bass at bar 9".
_REACH = 6
# Sections of which a piece has one.
_ONCE = ("intro", "outro", "crescendo", "fills")


def read_sections(phrases: Sequence[Phrase]) -> tuple[SectionWish, ...]:
    """The sections in the prompt's order; marks their places and lengths as used."""
    wishes: list[SectionWish] = []
    for index, phrase in enumerate(phrases):
        sense = phrase.sense
        if sense is None or sense.section is None or phrase.refused or phrase.at_times:
            continue
        length, place = _length(phrases, index), _place(phrases, index)
        wish = SectionWish(
            sense.section,
            bar=int(place.claim.value) if place and place.claim and place.claim.kind == "bar" else None,
            seconds=place.claim.value if place and place.claim and place.claim.kind == "moment" else None,
            at=place.sense.at if place and place.sense else None,
            bars=int(length.claim.value) if length and length.claim else None,
        )
        for used in (length, place):
            if used is not None:
                used.used = True
        wishes.append(wish)
    return _distinct(wishes)


def _length(phrases: Sequence[Phrase], index: int) -> Phrase | None:
    """The length in "8 bar intro", or else in "intro of 8 bars"."""
    after = phrases[index]
    for other in reversed(phrases[max(index - 2, 0) : index]):
        if after.gap >= Gap.COMMA:
            break
        if other.claim is not None:
            return other if other.claim.kind == "part bars" else None
        after = other
    for other in phrases[index + 1 : index + 3]:
        if other.claim is not None and other.claim.kind == "part bars" and other.gap < Gap.COMMA:
            return other
        if not other.is_function:
            return None
    return None


def _place(phrases: Sequence[Phrase], index: int) -> Phrase | None:
    """The place behind a section, in its clause, or else the one right before it: "at bar 9 a drop"."""
    for other in phrases[index + 1 : index + 1 + _REACH]:
        if other.gap > Gap.COMMA or (other.sense is not None and other.sense.section is not None):
            break
        if _is_place(other):
            return other
    for other in reversed(phrases[:index]):
        if _is_place(other) and not other.used:
            return other
        if not other.is_function:
            return None
    return None


def _is_place(phrase: Phrase) -> bool:
    if phrase.claim is not None:
        return phrase.claim.kind in ("bar", "moment")
    return phrase.sense is not None and phrase.sense.at is not None


def _distinct(wishes: Sequence[SectionWish]) -> tuple[SectionWish, ...]:
    """The wishes without repetitions: one intro, and of others each at its place."""
    found: dict[tuple[object, ...], SectionWish] = {}
    for wish in wishes:
        place = () if wish.name in _ONCE else (wish.bar, wish.seconds, wish.at)
        found.setdefault((wish.name, *place), wish)
    return tuple(found.values())
