"""A row of `bench.grid`: what was tried, how much of it passed, and the worst value."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Failure(NamedTuple):
    """One case that failed: what it was, so that it can be repeated, and what was measured."""

    case: str
    found: str


@dataclass
class Row:
    """The cases of one promise.

    Attributes:
        what: was measured.
        target: in words.
        needed: the share of cases that has to pass.
        tried: how many cases there were.
        worst: the worst value so far; larger is worse.
        show: writes a value.
        failures: the cases that did not pass.
    """

    what: str
    target: str
    needed: float = 1.0
    show: Callable[[float], str] = "{:.4g}".format
    tried: int = 0
    worst: float | None = None
    failures: list[Failure] = field(default_factory=list)

    def add(self, case: str, value: float, passed: bool, found: str = "") -> None:
        """Count a case; `value` grows with the error."""
        self.tried += 1
        self.worst = max(float(value), -math.inf if self.worst is None else self.worst)
        if not passed:
            self.failures.append(Failure(case, found or self.show(value)))

    @property
    def passed(self) -> int:
        return self.tried - len(self.failures)

    @property
    def is_met(self) -> bool:
        return self.tried > 0 and self.passed >= self.needed * self.tried

    def markdown(self) -> str:
        """One line of a table: what, target, tried, passed, worst."""
        worst = "" if self.worst is None else self.show(self.worst)
        share = f"{self.passed} of {self.tried}"
        return f"| {self.what} | {self.target} | {share if self.is_met else f'**{share}**'} | {worst} |"
