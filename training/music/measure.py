"""Measures: where the beats of a bar are, and a style's patterns in other meters than those they were written for.

Patterns are written for 4/4, some for 3/4. 5/4 repeats the last two beats of 4/4 without the first, 7/8 loses its last
eighth. Meters of dotted beats have patterns of their own in data/compound.json.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

from training.music.style import Levels, Rows, Style
from worker.engine.sampler.score import SWUNG_EIGHTHS, Header


@dataclass(frozen=True, slots=True)
class Measure:
    """The steps of a bar on which something may begin.

    Attributes:
        beats: steps of the beats.
        strong: those that need a chord's note.
        half: where the second of two chords begins.
    """

    beats: tuple[int, ...]
    strong: tuple[int, ...]
    half: int


MEASURES = {
    "3/4": Measure((0, 4, 8), (0, 8), 8),
    "4/4": Measure((0, 4, 8, 12), (0, 8), 8),
    "5/4": Measure((0, 4, 8, 12, 16), (0, 12), 12),
    "6/8": Measure((0, 6), (0, 6), 6),
    "7/8": Measure((0, 4, 8, 12), (0, 8), 8),
    "12/8": Measure((0, 6, 12, 18), (0, 12), 12),
}
# A melody's last bar, by the steps of the bar.
CADENCES = {
    16: ("x---x---x-------", "x-x-x---x-------", "x---x-----------", "x-x-x-x-x-------"),
    12: ("x---x---x---", "x-------x---", "x-x-x-------", "x-----------"),
    20: ("x---x---x---x-------", "x-x-x---x-x-x-------", "x-----x-x-----------"),
    14: ("x---x---x-----", "x-x-x---------", "x-x-x-x-x-----"),
    24: ("x---x-x---x-x-----------", "x-----x-----x-----------", "x-x-x-x-x-x-x-----------"),
}
COMPOUND_CADENCES = ("x---x-x-----", "x-x-x-x-----", "x-----x-----", "x-----------")


class Patterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A style's patterns in a meter of dotted beats; see `Style`."""

    drums: tuple[tuple[Rows, ...], ...]
    bass: Levels
    comping: Levels
    arpeggio: Levels
    lead: Levels
    shaker: tuple[Rows, ...] = ({"s": "x.x.x.x.x.x."},)
    congas: tuple[Rows, ...] = ({"c": "..x.x...x.x.", "C": "x.....x....."},)
    timpani: tuple[Rows, ...] = ({"m": "X.....x....."},)


@cache
def _compound() -> dict[str, Patterns]:
    data = files("training.music").joinpath("data/compound.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Patterns])


def is_compound(header: Header) -> bool:
    """Whether the beats are dotted quarters."""
    return header.unit == 8 and header.beats % 3 == 0


def cadences(header: Header) -> tuple[str, ...]:
    """Rhythms of a melody's last bar."""
    return COMPOUND_CADENCES if header.meter == "6/8" else CADENCES[header.steps]


def fitted(style: Style, header: Header) -> Style:
    """The style with patterns for a meter and a swing."""
    if is_compound(header):
        own = _compound()[style.compound]
        found = {name: _fit(getattr(own, name), header) for name in Patterns.__struct_fields__}
        return msgspec.structs.replace(style, fills="compound", **found)
    if (header.beats, header.unit) in ((3, 4), (4, 4)) and header.swing != SWUNG_EIGHTHS:
        return style
    return msgspec.structs.replace(
        style, **{name: _fit(getattr(style, name), header) for name in Patterns.__struct_fields__}
    )


def _fit(part: object, header: Header) -> object:
    """Every row of a part, however deep it lies."""
    if isinstance(part, str):
        return _row(part, header)
    if isinstance(part, dict):
        return {piece: _row(row, header) for piece, row in part.items()}
    assert isinstance(part, tuple)
    return tuple(_fit(each, header) for each in part)


def _row(row: str, header: Header) -> str:
    if is_compound(header):
        return row if len(row) >= header.steps else row * (header.steps // len(row))
    if header.swing == SWUNG_EIGHTHS:
        row = "".join(_triplet(row[start : start + 4]) for start in range(0, len(row), 4))
    if header.steps in (12, 16) or len(row) < 16:
        return row
    bars = [row[start : start + 16] for start in range(0, len(row), 16)]
    return "".join(bar[:14] if header.steps == 14 else bar[:12] + bar[8:16] for bar in bars)


def _triplet(beat: str) -> str:
    """A beat whose last sixteenth, which stood for a swung eighth, moves to the third of the triplet."""
    third, last = beat[2], beat[3]
    if third in "-." and last not in "-.":
        return beat[:2] + last + ("-" if third == "-" else ".")
    return beat
