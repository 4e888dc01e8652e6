"""All measures that look at one piece, calibrated on the generator's pieces of the train split."""

from collections.abc import Callable

import numpy as np

from training.evaluation.coherence import coherence_figures
from training.evaluation.instruments import BEATS, Instruments
from training.evaluation.key import KeyFinder
from training.evaluation.performance import Figures, Performance
from training.evaluation.playing import own_codes, play_all_own
from training.evaluation.sound import Sound
from training.evaluation.style import Styles
from training.evaluation.tempo import tempo_figures
from training.music import make_piece

# Pieces that are read, and how many of them are also listened to.
READ, LISTENED = 12_000, 400
SILENCE = np.zeros((2, 0), np.float32)


class Measures:
    """Learns what the generator's pieces are like; then measures others.

    Attributes:
        keys: finds keys.
    """

    def __init__(self, seconds: float, read: int = READ, listened: int = LISTENED) -> None:
        """Learn it.

        Args:
            seconds: how much of each piece is looked at, as much as will be measured.
            read: pieces whose notes are.
            listened: pieces whose sound is.
        """
        pieces = [make_piece(seed) for seed in range(read)]
        own = [Performance(piece.spec, own_codes(piece, seconds), SILENCE) for piece in pieces]
        self.keys = KeyFinder(own)
        rendered = list(play_all_own(pieces[:listened], seconds))
        self._measures: tuple[Callable[[Performance], Figures], ...] = (
            tempo_figures,
            Instruments(own),
            self.keys,
            Styles(own),
            coherence_figures,
            Sound(rendered, [bool(performance.heard & BEATS) for performance in rendered]),
        )

    def __call__(self, performance: Performance) -> Figures:
        """Every row that the caption asks for."""
        return {name: figure for measure in self._measures for name, figure in measure(performance).items()}
