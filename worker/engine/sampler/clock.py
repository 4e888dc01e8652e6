"""The position of each sixteenth note in samples, kept as a fraction so that no tempo drifts."""

from fractions import Fraction

from worker.engine.sampler.score import STEPS_PER_BEAT, Header

SAMPLE_RATE = 32000
# The delay of every second sixteenth, as a share of a sixteenth; 1/3 is triplet swing.
SWINGS = (Fraction(0), Fraction(1, 6), Fraction(1, 3))


class Clock:
    """Counts sixteenth notes, each with its own tempo.

    Attributes:
        start: the beginning of the next sixteenth, in samples.
    """

    def __init__(self) -> None:
        self.start = Fraction(0)

    def advance(self, header: Header) -> tuple[int, int]:
        """Advance by a sixteenth; returns its first sample and the sample after its last."""
        begin = int(self.start)
        self.start += step_length(header.bpm)
        return begin, int(self.start)


def step_length(bpm: int) -> Fraction:
    """Samples per sixteenth note."""
    return Fraction(60 * SAMPLE_RATE, bpm * STEPS_PER_BEAT)


def swing_delay(header: Header, place: int) -> int:
    """The swing delay in samples of the sixteenth at a place of the bar."""
    return int(step_length(header.bpm) * SWINGS[header.swing]) if place % 2 else 0
