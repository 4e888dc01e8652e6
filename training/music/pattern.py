"""Patterns: rows of sixteenth notes as text, one letter per step, for one or two bars.

`-` holds, `.` is silence. players/bass.py explains the letters of the bass. Chords have `X` (hard), `x` and `o` (soft);
arpeggios have the index of the chord's note, `0` is the lowest; drums have `X`, `x` and `g` (ghost note).
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from training.music.form import Bar
from training.music.style import Rows

T = TypeVar("T", str, Rows)

_STEPS = 16


def bar_of(row: str, place: int, steps: int) -> str:
    """The bar of a pattern at a place of the section. A waltz drops the last beat of a pattern for four beats."""
    own = steps if len(row) % steps == 0 and len(row) <= 2 * steps else _STEPS
    bars = len(row) // own
    start = place % bars * own
    return row[start : start + steps]


def made_for(pattern: str | Rows, steps: int) -> bool:
    """Whether a pattern has bars of this many steps."""
    row = pattern if isinstance(pattern, str) else next(iter(pattern.values()))
    return len(row) in (steps, 2 * steps)


class Repertoire:
    """The patterns of a part in one piece: for each energy level one to repeat, and one for every fourth bar."""

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
        """The whole pattern for a bar; with `wander` a random one."""
        patterns = self._at_level(bar.level)
        if wander:
            return self._source.choice(patterns)
        return patterns[min(1, len(patterns) - 1)] if bar.place % 4 == 3 else patterns[0]

    def row(self, bar: Bar, *, wander: bool = False) -> str:
        """The row for a bar, from a pattern with one row."""
        pattern = self.due(bar, wander=wander)
        assert isinstance(pattern, str)
        return bar_of(pattern, bar.place, self._steps)

    def rows(self, bar: Bar) -> Rows:
        """The rows for a bar, from a groove."""
        pattern = self.due(bar)
        assert not isinstance(pattern, str)
        return {piece: bar_of(row, bar.place, self._steps) for piece, row in pattern.items()}
