"""The sound: full scale, loudness, spectrum; and whether drums are heard in it."""

from collections.abc import Sequence

import numpy as np
import pyloudnorm
from numpy.typing import NDArray

from training.evaluation.performance import Figures, Floats, Performance
from training.evaluation.style import Classifier, Features
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


def beat_features(levels: NDArray[np.float64]) -> Features:
    """How abruptly each band rises, how deeply it falls in between, and how much of the whole it is."""
    rise = np.percentile(np.diff(levels, axis=0), (50, 80, 90, 95, 99), axis=0)
    depth = np.percentile(levels, (95, 75, 50), axis=0) - np.percentile(levels, 10, axis=0)
    return np.concatenate((rise, depth, [spectrum(levels) - spectrum(levels).max()])).ravel().astype(np.float32)


class Sound:
    """Knows the range of the generator's own renderings, and what beats sound like in them."""

    def __init__(self, own: Sequence[Performance], beats: Sequence[bool]) -> None:
        """Learn it.

        Args:
            own: renderings.
            beats: whether drums or percussion play in each.
        """
        levels = [band_levels(performance.audio) for performance in own]
        low, high = np.percentile([_audible(each) for each in levels], (1, 99), axis=0)
        self._low, self._high = low - WIDER, high + WIDER
        self._beats = Classifier([beat_features(each) for each in levels], [str(beat) for beat in beats], hidden=24)

    def __call__(self, performance: Performance) -> Figures:
        audio, levels = performance.audio, band_levels(performance.audio)
        found = _audible(levels)
        parts = {
            "no clipping": bool(np.abs(audio).max() < FULL_SCALE),
            "-14 LUFS, within 2": abs(integrated_loudness(audio) - LOUDNESS) <= LOUDNESS_WITHIN,
            "spectrum in range": bool(((self._low <= found) & (found <= self._high)).all()),
        }
        figures = {**{name: float(good) for name, good in parts.items()}, "sound": float(all(parts.values()))}
        if performance.spec.drums is not None:
            heard = self._beats.rank(beat_features(levels))[0] == "True"
            figures["drums or none, audio"] = float(heard is performance.spec.drums)
        return figures


def _audible(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(spectrum(levels), INAUDIBLE)
