"""Where the sixteenths of a starter's score lie in the ticks of a score of notes."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from worker.engine.sampler.clock import swing_share
from worker.engine.sampler.conductor import METER_PLACE, codes_at, read_header
from worker.engine.sampler.score import STEPS_PER_BEAT, SWUNG_EIGHTHS, Header

# Of a quarter: where second eighths are if they swing, and if they do not.
_SWUNG, _STRAIGHT = (Fraction(3, 5), Fraction(3, 4)), (Fraction(9, 20), Fraction(11, 20))


@dataclass(frozen=True, slots=True)
class StepGrid:
    """The grid.

    Attributes:
        origin: the tick of step 0, with which a bar begins.
        step: ticks of a sixteenth.
        steps: sixteenths of a bar.
        swing: see `Header`.
    """

    origin: int
    step: Fraction
    steps: int
    swing: int = 0

    def tick(self, step: int) -> int:
        """The tick of a sixteenth, swung as the sampler swings it."""
        return self.origin + round(self._place(step) * self.step)

    def nearest(self, tick: int) -> int:
        """The sixteenth that is nearest to a tick."""
        first = floor((tick - self.origin) / self.step)
        return min((first - 1, first, first + 1), key=lambda step: abs(self.tick(step) - tick))

    def _place(self, step: int) -> Fraction:
        return step + swing_share(self.swing, step % self.steps)


def find_swing(ticks: Iterable[int], quarter: Fraction) -> int:
    """Whether second eighths come late, by the ticks at which notes begin: a `swing` of `Header`."""
    places = [Fraction(tick) / quarter % 1 for tick in ticks]
    swung, straight = (sum(first <= place <= last for place in places) for first, last in (_SWUNG, _STRAIGHT))
    return SWUNG_EIGHTHS if swung > straight else 0


def model_meter(beats: int, unit: int, level: int) -> tuple[str, bool]:
    """The meter of scores of a level for one of a file, and whether each of its bar lines is one of both.

    The length of one's bars is a multiple of the other's, if there is such a meter.
    """
    known = {header.meter: header for code in codes_at(METER_PLACE, level) for header in (read_header(code, Header()),)}
    if f"{beats}/{unit}" in known:
        return f"{beats}/{unit}", True
    bar = Fraction(4 * beats, unit)
    ratios = {meter: Fraction(header.steps, STEPS_PER_BEAT) / bar for meter, header in known.items()}
    able = [meter for meter, ratio in ratios.items() if ratio.denominator == 1 or ratio.numerator == 1]
    if able:
        is_eighths = unit >= 8
        best = min(able, key=lambda each: ((known[each].unit == 8) != is_eighths, max(ratios[each], 1 / ratios[each])))
        return best, ratios[best] <= 1
    return ("6/8" if beats % 3 == 0 and "6/8" in known else "4/4"), False
