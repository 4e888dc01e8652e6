"""A melody's material: a few rhythms, and the shapes that go with them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.music.pattern import bar_of, made_for

# Steps along the scale from note to note, repeated as long as there are notes.
_SHAPES = (
    (1, 1, -1),
    (-1, -1, 1),
    (1, -1),
    (2, -1, -1),
    (-2, 1, 1),
    (0, 1, 0, -1),
    (1, 1, 1, -2),
    (-1, 1, 2, -1),
)
# Busy bars run up and down.
_RUNS = (
    (1, 1, 1, 1, -1, -1, -1, -1),
    (-1, -1, -1, -1, 1, 1, 1, 1),
    (1, 1, -1),
    (-1, -1, 1),
    (2, -1, 2, -1, -2, 1, -2, 1),
    (1, 1, 1, -3),
)
_BUSY = 7
# How a phrase of four bars rises and falls, in steps of the scale.
_ARCS = ((0, 0, 0, 0), (0, 1, 2, 0), (0, -1, -2, 0), (0, 0, 2, 0), (0, 2, 1, 0))
_STARTS = (0, 0, 2, -2, 4)
_CADENCES = ("x---x---x-------", "x-x-x---x-------", "x---x-----------", "x-x-x-x-x-------")
_WALTZ_CADENCES = ("x---x---x---", "x-------x---", "x-x-x-------", "x-----------")


@dataclass(frozen=True, slots=True)
class Motif:
    """One bar of melody: its rhythm, where it starts relative to the middle of the register, and how it moves."""

    rhythm: str
    start: int
    moves: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Theme:
    """Three motifs: `a`, `b`, and `c`, which closes; the order they come in, `.` is a rest; and the phrase's arc."""

    motifs: dict[str, Motif]
    phrase: str
    arc: tuple[int, ...]

    def at(self, place: int, *, closing: bool) -> Motif | None:
        """The motif of a bar of a section; sections close with `c`."""
        letter = "c" if closing else self.phrase[place % len(self.phrase)]
        motif = self.motifs.get(letter)
        return motif and replace(motif, start=motif.start + self.arc[place % len(self.arc)])


def draw_theme(rhythms: Sequence[str], phrases: Sequence[str], steps: int, lift: int, source: random.Random) -> Theme:
    """A theme of a style; `lift` sets it higher."""
    made = [row for row in rhythms if made_for(row, steps)] or list(rhythms)
    first, second = source.choice(made), source.choice(made)
    closing = source.choice(_CADENCES if steps == 16 else _WALTZ_CADENCES)
    start = source.choice(_STARTS) + lift
    motifs = {
        "a": Motif(bar_of(first, 0, steps), start, _shape(first, source)),
        "b": Motif(
            bar_of(second, len(second) // steps - 1, steps), start + source.choice((-1, 1, 2)), _shape(second, source)
        ),
        "c": Motif(closing, start, source.choice(_SHAPES)),
    }
    return Theme(motifs, source.choice(phrases), source.choice(_ARCS))


def _shape(rhythm: str, source: random.Random) -> tuple[int, ...]:
    return source.choice(_RUNS if rhythm.count("x") >= _BUSY else _SHAPES)
