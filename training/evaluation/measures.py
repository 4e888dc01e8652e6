"""All measures of a single piece, calibrated on the generator's pieces of the train split."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.evaluation.coherence import coherence_figures
from training.evaluation.drum_detector import DrumDetector, log_mel
from training.evaluation.instrumentation import BEATS, InstrumentationMeasure
from training.evaluation.key import KeyFinder
from training.evaluation.performance import Figures, Performance
from training.evaluation.playing import on_all_cores, own_codes, play_own, play_without_beats
from training.evaluation.sound_quality import SoundMeasure, audible
from training.evaluation.style_classifier import StyleMeasure
from training.evaluation.tempo import tempo_figures
from training.music import Piece, make_piece

# Number of pieces whose notes calibrate measures, and how many of them are also rendered.
READ, LISTENED = 12_000, 400
SILENCE = np.zeros((2, 0), np.float32)


class _Impression(NamedTuple):
    """The features of a rendering (`audible`, `log_mel`), and whether it has a beat. The audio itself is too large."""

    levels: NDArray[np.float64]
    seen: NDArray[np.float32]
    beats: bool


def _listen(piece: Piece, seconds: float) -> list[_Impression]:
    """The features of a piece, and, if it has a beat, of the same piece without it."""
    performances = [play_own(piece, seconds)]
    if performances[0].heard & BEATS:
        performances.append(play_without_beats(piece, seconds))
    return [_Impression(audible(each.audio), log_mel(each.audio), bool(each.heard & BEATS)) for each in performances]


class Measures:
    """All measures, calibrated on the generator's pieces.

    Attributes:
        keys: the key finder.
    """

    def __init__(self, seconds: float, read: int = READ, listened: int = LISTENED, level: int = 1) -> None:
        """Calibrate the measures.

        Args:
            seconds: length of each piece; the same as in the measurement.
            read: number of pieces whose notes are used.
            listened: number of pieces whose audio is used.
            level: of the generator's pieces, which is that of the measured model's scores.
        """
        pieces = [make_piece(seed, level=level, stated=1) for seed in range(read)]
        own = [Performance(piece.spec, own_codes(piece, seconds), SILENCE) for piece in pieces]
        self.keys = KeyFinder(own)
        played = list(on_all_cores(partial(_listen, seconds=seconds), pieces[:listened]))
        heard = [impression for both in played for impression in both]
        self._measures: tuple[Callable[[Performance], Figures], ...] = (
            tempo_figures,
            InstrumentationMeasure(own),
            self.keys,
            StyleMeasure(own),
            coherence_figures,
            SoundMeasure([own.levels for own, *_ in played]),
            DrumDetector([each.seen for each in heard], [each.beats for each in heard]),
        )

    def __call__(self, performance: Performance) -> Figures:
        """The figures of all rows that apply to the caption."""
        return {name: figure for measure in self._measures for name, figure in measure(performance).items()}
