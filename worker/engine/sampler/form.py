"""Chooses the sections of the bars of which a prompt says something: a drop at bar 9, a breakdown in the middle.

The model chooses those of the other bars.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil

from shared.prompt.reading import SectionWish
from worker.engine.sampler.score import Section
from worker.engine.sampler.score_grammar import LONGEST_BREAK, LONGEST_FORM

Form = Mapping[int, Section]

# Bars of a section whose length the prompt does not state: at most this many, and at most a share of the piece.
LONGEST, SHARE = 8, 4
LONGEST_END = 4
# A fill in the last bar of each of these.
FILL_EVERY = 4
# Where a section of unknown place begins, as a share of the piece.
_PLACES = {"verse": 0.0, "chorus": 0.5, "bridge": 0.625, "drop": 0.5, "break": 0.5, "build": 0.5}
# In this order; what comes later may shorten what came before.
_ORDER = ("crescendo", "verse", "chorus", "bridge", "break", "build", "drop", "intro", "outro", "fills")
# A piece of fewer bars has no room for them.
_FEWEST = {"crescendo": 3, "fills": 2, "break": 2, "build": 2, "drop": 2, "intro": 2, "outro": 2}
_KINDS = {"verse": Section.VERSE, "chorus": Section.CHORUS, "bridge": Section.BRIDGE}


def count_bars(seconds: float, bar: Fraction) -> int:
    """Bars of a piece, the last one perhaps cut short; `bar` is in seconds."""
    return max(ceil(Fraction(seconds) / bar - Fraction(1, 16)), 1)


def make_form(
    wishes: Sequence[SectionWish], bars: int, bar: Fraction, *, level: int, begins_at_once: bool, source: random.Random
) -> dict[int, Section]:
    """The section of each bar, from 0, that is not left to the model.

    Args:
        wishes: the sections that the prompt asks for.
        bars: of the piece.
        bar: in seconds.
        level: of the model's scores; the first one has no `BUILD`, so a build-up is a break that ends with a fill.
        begins_at_once: whether the piece has no intro.
        source: draws the first section of a piece that begins at once.
    """
    form: dict[int, Section] = {}
    fitting = [wish for wish in wishes if _fits(wish, bars, bar)]
    for wish in sorted(fitting, key=lambda wish: _ORDER.index(wish.name)):
        form |= dict(_bars_of(wish, form, bars, bar, level, [other.name for other in fitting]))
    if begins_at_once:
        form.setdefault(0, source.choice((Section.VERSE, Section.CHORUS)))
    return {index: section for index, section in form.items() if index < LONGEST_FORM}


def form_warnings(wishes: Sequence[SectionWish], bars: int, bar: Fraction) -> Iterator[str]:
    """A sentence for each section that does not fit into the piece."""
    for wish in wishes:
        if not _fits(wish, bars, bar):
            length = "1 bar" if bars == 1 else f"{bars} bars"
            yield f"The prompt asks for {wish.phrase}, but the music has only {length}."


def _fits(wish: SectionWish, bars: int, bar: Fraction) -> bool:
    return bars >= _FEWEST.get(wish.name, 1) and _begin(wish, bars, bar) < bars


def _begin(wish: SectionWish, bars: int, bar: Fraction) -> int:
    """The bar with which a section begins; what begins with the piece has nothing before it."""
    if wish.bar is not None:
        return wish.bar - 1
    if wish.seconds is not None:
        return round(Fraction(wish.seconds) / bar)
    share = _PLACES.get(wish.name, 0.0) if wish.at is None else wish.at
    begin = int(share * bars)
    # Sections begin with a phrase of four bars, if the piece has several.
    return min(begin // 4 * 4 if bars >= 12 else begin, bars - 1)


def _length(wish: SectionWish, bars: int) -> int:
    most = LONGEST_END if wish.name in ("intro", "outro") else LONGEST
    return wish.bars or max(min(most, bars // SHARE), 1)


def _bars_of(
    wish: SectionWish, form: Form, bars: int, bar: Fraction, level: int, others: Sequence[str]
) -> Iterator[tuple[int, Section]]:
    """The bars that a wish decides."""
    begin, length = _begin(wish, bars, bar), _length(wish, bars)
    match wish.name:
        case "intro":
            yield from _fill(0, min(length, bars - 1), Section.INTRO)
            yield from ((index, Section.VERSE) for index in (min(length, bars - 1),) if index not in form)
        case "outro":
            yield from _fill(max(bars - length, 1), bars, Section.OUTRO)
        case "crescendo":
            thirds = (bars // 3, 2 * bars // 3)
            yield from _fill(0, thirds[0], Section.INTRO)
            yield from _fill(thirds[0], thirds[1], Section.VERSE)
            yield from _fill(thirds[1], bars, Section.CHORUS)
        case "fills":
            last = range(FILL_EVERY - 1, bars, FILL_EVERY) if bars >= FILL_EVERY else range(bars - 1, bars)
            yield from ((index, Section.FILL) for index in last if form.get(index) not in _QUIET)
        case "break":
            # A drop follows the break, so both need no place of their own.
            begin = max(begin - length, 1) if {"drop", "build"} & set(others) and not _is_placed(wish) else begin
            yield from _break(begin, min(length, LONGEST_BREAK), bars, form)
        case "build" if _is_placed(wish) and "drop" not in others:
            yield from _build(begin, begin + length, level)
            yield from _fill(begin + length, min(begin + 2 * length, bars), Section.CHORUS)
        case "build" | "drop":
            start = max(begin - length, 0)
            quiet = sum(form.get(index) is Section.BREAK for index in range(start, begin))
            yield from _build(max(start + quiet // 2, begin - LONGEST_BREAK), begin, level)
            yield from _fill(begin, min(begin + length, bars), Section.CHORUS)
        case name:
            yield from _fill(begin, min(begin + length, bars), _KINDS[name])


_QUIET = (Section.INTRO, Section.BREAK, Section.OUTRO)


def _is_placed(wish: SectionWish) -> bool:
    return wish.bar is not None or wish.seconds is not None or wish.at is not None


def _fill(begin: int, end: int, section: Section) -> Iterator[tuple[int, Section]]:
    yield from ((index, section) for index in range(begin, end))


def _break(begin: int, length: int, bars: int, form: Form) -> Iterator[tuple[int, Section]]:
    """A break between two sections in which the band plays, so that it is heard as one."""
    end = min(begin + length, bars)
    yield from ((index, Section.VERSE) for index in (begin - 1,) if index >= 0 and index not in form)
    yield from _fill(begin, end, Section.BREAK)
    yield from ((index, Section.CHORUS) for index in (end,) if index < bars and index not in form)


def _build(begin: int, end: int, level: int) -> Iterator[tuple[int, Section]]:
    """A build-up; the last bar is a fill of the drums."""
    if level > 1:
        yield from _fill(begin, end, Section.BUILD)
        return
    yield from _fill(begin, end - 1, Section.BREAK)
    yield from ((index, Section.FILL) for index in (end - 1,) if index >= begin)
