"""Measures the audio: clipping, loudness and spectrum."""

from collections.abc import Sequence

import numpy as np
import pyloudnorm
from numpy.typing import NDArray

from training.evaluation.performance import Figures, Floats, Performance
from worker.engine.sampler.clock import SAMPLE_RATE

WINDOW, HOP = 2048, 512
# Edges of the octave bands in hertz; the lowest band includes all below.
EDGES = (0, 88, 177, 354, 707, 1414, 2828, 5657, 11314, SAMPLE_RATE / 2 + 1)
LOUDNESS, LOUDNESS_WITHIN = -14.0, 2.0
FULL_SCALE = 1.0
# Tolerance in decibels beyond the range of the generator's pieces.
WIDER = 3.0
# Levels below this are inaudible and count as equal.
INAUDIBLE = -60.0
FLOOR = 1e-10


def band_levels(audio: Floats) -> NDArray[np.float64]:
    """The level of each octave band per frame of 16 ms in decibels: [frames, 9], from audio [channels, samples]."""
    frames = np.lib.stride_tricks.sliding_window_view(audio.mean(0), WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32))) ** 2
    bins = np.searchsorted(np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE), EDGES)
    bands = np.add.reduceat(power, bins[:-1], axis=1) / (WINDOW * WINDOW / 8)
    return np.asarray(10 * np.log10(bands + FLOOR), np.float64)


def spectrum(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean power of each band, in decibels."""
    return np.asarray(10 * np.log10(np.mean(10 ** (levels / 10), axis=0)))


def integrated_loudness(audio: Floats) -> float:
    """The gated loudness in LUFS (ITU-R BS.1770-4)."""
    return float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(audio.T.astype(np.float64)))


class SoundMeasure:
    """Checks the audio against the loudness target and the spectra of the generator's pieces."""

    def __init__(self, own: Sequence[NDArray[np.float64]]) -> None:
        """Take the range of spectra; `own` holds `audible` of each piece."""
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
    """The level of each octave band in decibels, at least `INAUDIBLE`."""
    return np.maximum(spectrum(band_levels(audio)), INAUDIBLE)
