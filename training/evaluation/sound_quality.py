"""Measures the audio: clipping, loudness, spectrum, width and brightness."""

from collections.abc import Sequence

import numpy as np
import pyloudnorm
from numpy.typing import NDArray

from training.evaluation.performance import Figures, Floats, Performance
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.instruments import HIT_STREAMS

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
# A take of a band: drums or percussion, and at least this many other streams.
BAND = 3
# The range of a band's side to its middle, and of 8 to 16 kHz to the octave at 1 kHz, in decibels. Pink noise has 0 dB.
WIDTH = (-12.0, -6.0)
BRIGHTNESS = (-15.0, 15.0)


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
        figures = {**parts, "sound": all(parts.values()), **(_of_a_band(audio) if is_band(performance) else {})}
        return {name: float(good) for name, good in figures.items()}


def is_band(performance: Performance) -> bool:
    """Whether drums or percussion and at least `BAND` other streams play."""
    streams = {stream for stream, events in performance.score.events.items() if events}
    return bool(streams & {*HIT_STREAMS}) and len(streams - {*HIT_STREAMS}) >= BAND


def _of_a_band(audio: Floats) -> dict[str, bool]:
    return {
        "band: side/mid -12 to -6 dB": WIDTH[0] <= side_to_middle(audio) <= WIDTH[1],
        "band: 8-16 kHz within 15 dB of pink": BRIGHTNESS[0] <= brightness(audio) <= BRIGHTNESS[1],
    }


def side_to_middle(audio: Floats) -> float:
    """The power of left - right against that of left + right, in decibels."""
    left, right = audio.astype(np.float64)
    return float(10 * np.log10((np.sum((left - right) ** 2) + FLOOR) / (np.sum((left + right) ** 2) + FLOOR)))


def brightness(audio: Floats) -> float:
    """The power from 8 to 16 kHz against that of the octave around 1 kHz, in decibels; pink noise has 0."""
    power = np.abs(np.fft.rfft(audio, axis=1)) ** 2
    hertz = np.fft.rfftfreq(audio.shape[1], 1 / SAMPLE_RATE)
    high, middle = (float(power[:, (hertz >= low) & (hertz < 2 * low)].sum()) for low in (8000.0, 1000 / np.sqrt(2)))
    return float(10 * np.log10((high + FLOOR) / (middle + FLOOR)))


def audible(audio: Floats) -> NDArray[np.float64]:
    """The level of each octave band in decibels, at least `INAUDIBLE`."""
    return np.maximum(spectrum(band_levels(audio)), INAUDIBLE)
