"""The sound: full scale, loudness and spectrum."""

from collections.abc import Sequence

import numpy as np
import pyloudnorm
from numpy.typing import NDArray

from training.evaluation.performance import Figures, Floats, Performance
from worker.engine.sampler.clock import SAMPLE_RATE

WINDOW, HOP = 2048, 512
# Hertz between octave bands; the lowest holds all below.
EDGES = (0, 88, 177, 354, 707, 1414, 2828, 5657, 11314, SAMPLE_RATE / 2 + 1)
LOUDNESS, LOUDNESS_WITHIN = -14.0, 2.0
FULL_SCALE = 1.0
# Decibels by which a band may lie beyond the generator's own.
WIDER = 3.0
# A band that is softer is not heard beside the others, however soft it is.
INAUDIBLE = -60.0
FLOOR = 1e-10


def band_levels(audio: Floats) -> NDArray[np.float64]:
    """Decibels of each octave band in each frame of 16 ms: [frames, 9], of audio [channels, samples]."""
    frames = np.lib.stride_tricks.sliding_window_view(audio.mean(0), WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32))) ** 2
    bins = np.searchsorted(np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE), EDGES)
    bands = np.add.reduceat(power, bins[:-1], axis=1) / (WINDOW * WINDOW / 8)
    return np.asarray(10 * np.log10(bands + FLOOR), np.float64)


def spectrum(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each band's mean power, in decibels."""
    return np.asarray(10 * np.log10(np.mean(10 ** (levels / 10), axis=0)))


def integrated_loudness(audio: Floats) -> float:
    """Gated, in LUFS (ITU-R BS.1770-4)."""
    return float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(audio.T.astype(np.float64)))


class SoundMeasure:
    """Knows the range of the generator's own renderings."""

    def __init__(self, own: Sequence[NDArray[np.float64]]) -> None:
        """Learn it of what `audible` says of each."""
        low, high = np.percentile(own, (1, 99), axis=0)
        self._low, self._high = low - WIDER, high + WIDER

    def __call__(self, performance: Performance) -> Figures:
        audio = performance.audio
        found = audible(audio)
        parts = {
            "no clipping": bool(np.abs(audio).max() < FULL_SCALE),
            "-14 LUFS, within 2": abs(integrated_loudness(audio) - LOUDNESS) <= LOUDNESS_WITHIN,
            "spectrum in range": bool(((self._low <= found) & (found <= self._high)).all()),
        }
        return {**{name: float(good) for name, good in parts.items()}, "sound": float(all(parts.values()))}


def audible(audio: Floats) -> NDArray[np.float64]:
    """The level of each octave band, in decibels, as far as it can be heard."""
    return np.maximum(spectrum(band_levels(audio)), INAUDIBLE)
