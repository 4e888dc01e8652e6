"""The evaluation table: a row for each property that a caption can state or a listener expects."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from training.evaluation.performance import Figures


@dataclass(frozen=True)
class Row:
    """A row's target.

    Attributes:
        name: the figure's name.
        target: the minimum (with `at_most`, the maximum); None for rows without a target.
        relative: whether the target is a share of the ceiling.
        at_most: whether the target is a maximum.
        unit: the figure's unit; "" is a share of the cases.
    """

    name: str
    target: float | None = None
    relative: bool = False
    at_most: bool = False
    unit: str = ""


ROWS = (
    Row("tempo, conductor", 0.95),
    Row("tempo, audio", 0.95),
    Row("drums or none, events", 0.95),
    Row("drums or none, audio", 0.95),
    Row("solo", 0.95),
    Row("named instruments are heard", 0.85),
    Row("no unrequested instruments", 0.85),
    Row("key, conductor"),
    Row("key, notes", 0.85),
    Row("genre", 0.7, relative=True),
    Row("mood, conductor"),
    Row("mood", 0.7, relative=True),
    Row("mood, among three"),
    Row("bars come again"),
    Row("bars change"),
    Row("no stuck notes"),
    Row("no silence over a bar"),
    Row("ends quietly"),
    Row("holds together", 0.9),
    Row("long: in tempo"),
    Row("long: in key"),
    Row("long: in tempo and key", 0.9),
    Row("no clipping"),
    Row("-14 LUFS, within 2"),
    Row("spectrum in range"),
    Row("sound", 0.95),
    Row("band: side/mid -12 to -6 dB", 0.9),
    Row("band: 8-16 kHz within 15 dB of pink", 0.95),
    Row("copied run, median", unit="bars"),
    Row("copied run, longest", unit="bars"),
    Row("speed, audio by time", 3.0, unit="x"),
    Row("first chunk", 1.0, at_most=True, unit="s"),
)


@dataclass(frozen=True)
class RowResult:
    """A row's result: the mean figure over `n` cases, and that of the generator's own pieces (`ceiling`)."""

    name: str
    n: int
    figure: float
    ceiling: float | None
    target: float | None
    met: bool | None


class Tally:
    """Collects the figures of many pieces by row."""

    def __init__(self, found: Iterable[Figures] = ()) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)
        for figures in found:
            self.add(figures)

    def add(self, figures: Figures) -> None:
        for name, value in figures.items():
            self._values[name].append(value)

    def n(self, name: str) -> int:
        return len(self._values.get(name, ()))

    def mean(self, name: str) -> float | None:
        return fmean(self._values[name]) if self.n(name) else None


def results(found: Tally, own: Tally) -> list[RowResult]:
    """The results of all rows with figures."""
    return [
        _result(row, found.n(row.name), found.mean(row.name), own.mean(row.name)) for row in ROWS if found.n(row.name)
    ]


def _result(row: Row, n: int, figure: float | None, ceiling: float | None) -> RowResult:
    figure = math.nan if figure is None else figure
    met = None
    if row.target is not None:
        reached = figure / (ceiling or math.nan) if row.relative else figure
        met = reached <= row.target if row.at_most else reached >= row.target
    return RowResult(row.name, n, figure, ceiling, row.target, met)


def print_table(found: Sequence[RowResult]) -> None:
    """Print the results as a table."""
    rows = {row.name: row for row in ROWS}
    print(f"{'':<29} {'n':>4} {'figure':>8} {'ceiling':>8} {'target':>12}")
    for result in found:
        row = rows[result.name]
        met = {None: "", True: "reached", False: "missed"}[result.met]
        print(
            f"{result.name:<29} {result.n:>4} {_shown(result.figure, row):>8} {_shown(result.ceiling, row):>8}"
            f" {_wanted(row):>12}  {met}".rstrip()
        )


def _shown(value: float | None, row: Row) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value:.2g} {row.unit}" if row.unit else f"{100 * value:.0f}%"


def _wanted(row: Row) -> str:
    if row.target is None:
        return ""
    return f"{'<=' if row.at_most else '>='} {_shown(row.target, row)}{' of it' if row.relative else ''}"


def as_json(found: Sequence[RowResult]) -> list[dict[str, object]]:
    """The results as JSON objects; NaN becomes null."""
    return [
        {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(each).items()
        }
        for each in found
    ]
