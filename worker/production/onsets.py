"""Finds where sounds begin: the spectral flux of music, 125 times a second."""

from typing import NamedTuple

import numpy as np

from worker.engine.interface import Samples
from worker.production.spectra import Floats, magnitudes, mono, window_length

# Frames per second.
FRAME_RATE = 125
# Seconds of a window.
WINDOW = 0.032
# Bands per window, as wide as an equal share of the octaves from here on, in hertz; one more is below.
BANDS, LOWEST_BAND = 28, 60.0
# What a magnitude is multiplied with before its logarithm: what is quieter than the music by that much counts little.
GAIN = 100.0
# Below the first are kick and bass, from there to the second snare and melody, above the third hats; in hertz.
KICK, SNARE, HATS = 150.0, 2000.0, 4000.0


class Onsets(NamedTuple):
    """The onsets of some music.

    Attributes:
        strength: of each frame, minus its mean over a second.
        ranges: strength in each range of frequency: kick and bass, snare and melody, hats, and everything; [frames, 4].
        levels: the magnitude in each of these ranges, without a logarithm; [frames, 4].
    """

    strength: Floats
    ranges: Floats
    levels: Floats

    @property
    def seconds(self) -> float:
        return len(self.strength) / FRAME_RATE


def find_onsets(samples: Samples, sample_rate: int) -> Onsets:
    """Measure the spectral flux: the increase of each band's log magnitude (Dixon 2006, section 2.1).

    Args:
        samples: float32 of shape [frames, channels]; at least a second.
        sample_rate: in hertz.
    """
    hertz = np.array([LOWEST_BAND / 2, *np.geomspace(LOWEST_BAND, 0.475 * sample_rate, BANDS)])
    edges = np.unique(np.round(hertz * window_length(sample_rate, WINDOW) / sample_rate).astype(int))
    blocks = magnitudes(mono(samples), sample_rate, FRAME_RATE, WINDOW)
    bands = np.concatenate([np.add.reduceat(block, edges[:-1], axis=1) for block in blocks])
    logs = np.log1p(GAIN * bands)
    flux = np.maximum(np.diff(logs, axis=0, prepend=logs[:1]), 0)
    lower = edges[:-1] * sample_rate / window_length(sample_rate, WINDOW)
    parts = (lower < KICK, (lower >= KICK) & (lower < SNARE), lower >= HATS, lower >= 0)
    ranges, levels = (np.stack([each[:, part].sum(1) for part in parts], axis=1) for each in (flux, bands))
    return Onsets(ranges[:, -1] - _local_mean(ranges[:, -1]), ranges, levels)


def _local_mean(strength: Floats) -> Floats:
    """The mean of the second around each frame."""
    half = FRAME_RATE // 2
    sums = np.cumsum(np.pad(strength, (half + 1, half), mode="edge"), dtype=np.float64)
    return ((sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)).astype(np.float32)
