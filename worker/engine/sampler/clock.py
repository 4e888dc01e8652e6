"""The position of each sixteenth note in samples, kept as a fraction so that no tempo drifts."""

from fractions import Fraction

from worker.engine.sampler.score import STEPS_PER_BEAT, SWUNG_EIGHTHS, Header

SAMPLE_RATE = 32000
# The delay of every second sixteenth for each swing, as a share of a sixteenth; 1/3 is triplet swing.
SWINGS = (Fraction(0), Fraction(1, 6), Fraction(1, 3), Fraction(1, 3), Fraction(1, 12), Fraction(1, 4))
# The delay of the third sixteenth of a beat where the eighths swing: the first three sixteenths are a triplet.
LATE_EIGHTH = Fraction(2, 3)


class Clock:
    """Counts sixteenth notes, each with its own tempo.

    Attributes:
        start: the beginning of the next sixteenth, in samples.
    """

    def __init__(self, tempo: Fraction | None = None, first_step: int = 0) -> None:
        """Begin a piece.

        Args:
            tempo: quarter notes a minute; None is the tempo that the codes declare, which is a whole number.
            first_step: the number of the first sixteenth, whose samples are counted from that of number 0. Other
                numbers need a tempo.
        """
        self._tempo = tempo
        self.start = first_step * step_length(tempo) if tempo else Fraction(0)

    @property
    def position(self) -> int:
        """`start`, to the nearest sample."""
        return round(self.start)

    def advance(self, header: Header) -> tuple[int, int]:
        """Advance by a sixteenth; returns its first sample and the sample after its last."""
        begin = self.position
        self.start += self._step_length(header)
        return begin, self.position

    def step_samples(self, header: Header) -> int:
        """The length of a sixteenth, to the nearest sample: the same for all, unlike what `advance` returns."""
        return round(self._step_length(header))

    def swing_delay(self, header: Header, place: int) -> int:
        """The swing delay in samples of the sixteenth at a place of the bar."""
        return int(self._step_length(header) * swing_share(header.swing, place))

    def _step_length(self, header: Header) -> Fraction:
        return step_length(Fraction(header.bpm) if self._tempo is None else self._tempo)


def swing_share(swing: int, place: int) -> Fraction:
    """The swing delay of the sixteenth at a place of the bar, as a share of a sixteenth."""
    if place % 2:
        return SWINGS[swing]
    return LATE_EIGHTH if swing == SWUNG_EIGHTHS and place % 4 == 2 else Fraction(0)


def step_length(tempo: Fraction) -> Fraction:
    """Samples per sixteenth note."""
    return 60 * SAMPLE_RATE / (tempo * STEPS_PER_BEAT)
