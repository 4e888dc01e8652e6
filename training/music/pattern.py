"""Rows of sixteenths as text, one letter a step, for one bar or two.

`-` goes on, `.` is silence. A bass has its letters in players/bass.py; chords are struck by `X` (hard), `x` and `o`
(soft); arpeggios name notes of the chord, `0` is the lowest; drums are `X`, `x` and `g` (a ghost).
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from training.music.form import Bar
from training.music.style import Rows

T = TypeVar("T", str, Rows)

_STEPS = 16


def bar_of(row: str, place: int, steps: int) -> str:
    """The bar of a pattern that is due; a waltz leaves out the last beat of a pattern that was not made for it."""
    own = steps if len(row) % steps == 0 and len(row) <= 2 * steps else _STEPS
    bars = len(row) // own
    start = place % bars * own
    return row[start : start + steps]


def made_for(pattern: str | Rows, steps: int) -> bool:
    """Whether a pattern has bars of so many steps."""
    row = pattern if isinstance(pattern, str) else next(iter(pattern.values()))
    return len(row) in (steps, 2 * steps)


class Repertoire:
    """The patterns of a part in one piece: for each level one to repeat, and another for every fourth bar."""

    def __init__(self, levels: Sequence[Sequence[T]], steps: int, source: random.Random) -> None:
        self._steps, self._source = steps, source
        self._levels = [self._pick(patterns) for patterns in levels]

    def _pick(self, patterns: Sequence[T]) -> list[str | Rows]:
        made = [pattern for pattern in patterns if made_for(pattern, self._steps)]
        chosen: list[str | Rows] = list(made or patterns)
        self._source.shuffle(chosen)
        return chosen

    def _at_level(self, level: int) -> list[str | Rows]:
        return self._levels[min(level, len(self._levels) - 1)]

    def due(self, bar: Bar, *, wander: bool = False) -> str | Rows:
        """The pattern of a bar, whole."""
        patterns = self._at_level(bar.level)
        if wander:
            return self._source.choice(patterns)
        return patterns[min(1, len(patterns) - 1)] if bar.place % 4 == 3 else patterns[0]

    def row(self, bar: Bar, *, wander: bool = False) -> str:
        """The bar of a pattern of one row."""
        pattern = self.due(bar, wander=wander)
        assert isinstance(pattern, str)
        return bar_of(pattern, bar.place, self._steps)

    def rows(self, bar: Bar) -> Rows:
        """The bar of a groove."""
        pattern = self.due(bar)
        assert not isinstance(pattern, str)
        return {piece: bar_of(row, bar.place, self._steps) for piece, row in pattern.items()}
