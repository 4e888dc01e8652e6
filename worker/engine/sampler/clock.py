"""When a sixteenth is, in samples: exact at every tempo, so that ten minutes later nothing has drifted."""

from fractions import Fraction

from worker.engine.sampler.score import STEPS_PER_BEAT, Header

SAMPLE_RATE = 32000
# By which part of a sixteenth every second one is late: 1/3 makes triplets of pairs.
SWINGS = (Fraction(0), Fraction(1, 6), Fraction(1, 3))


class Clock:
    """Counts sixteenths, which may each have another tempo.

    Attributes:
        start: where the next one begins, in samples.
    """

    def __init__(self) -> None:
        self.start = Fraction(0)

    def advance(self, header: Header) -> tuple[int, int]:
        """Go on by a sixteenth; returns its first sample and the one after its last."""
        begin = int(self.start)
        self.start += step_length(header.bpm)
        return begin, int(self.start)


def step_length(bpm: int) -> Fraction:
    """Samples a sixteenth."""
    return Fraction(60 * SAMPLE_RATE, bpm * STEPS_PER_BEAT)


def swing_delay(header: Header, place: int) -> int:
    """By how many samples the sixteenth at a place of the bar is late."""
    return int(step_length(header.bpm) * SWINGS[header.swing]) if place % 2 else 0
