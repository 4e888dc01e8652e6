"""Loudness and true peak after ITU-R BS.1770-4."""

import math

import numpy as np
import soxr
from numpy.typing import NDArray
from pyloudnorm import IIRfilter

from worker.engine.interface import Samples

Doubles = NDArray[np.float64]

# The K-weighting for any sample rate: gain in decibels, quality, frequency in hertz, kind.
FILTERS = ((4.0, 1 / math.sqrt(2), 1500.0, "high_shelf"), (0.0, 0.5, 38.0, "high_pass"))
# The gating block of the recommendation, in seconds, and how many of them overlap.
GATING_BLOCK, OVERLAP = 0.4, 4
# Gating blocks below these loudnesses do not count: in LUFS, and in decibels relative to the mean.
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
# The loudness of a weighted power of 1, in LUFS.
OFFSET = -0.691
OVERSAMPLING = 4
# Frames for which one energy and one true peak is given.
PEAK_BLOCK = 16
# Frames that are oversampled at a time, a multiple of PEAK_BLOCK, and those around them that the filter sees.
SEGMENT = 4096 * PEAK_BLOCK
CONTEXT = 256


def integrated_lufs(samples: Samples, sample_rate: int) -> float | None:
    """The integrated loudness in LUFS; None for silence. Audio shorter than a gating block is measured as one block.

    Args:
        samples: float32 of shape [frames, channels], full scale at ±1.
        sample_rate: in hertz.
    """
    return WeightedEnergy(samples, sample_rate).lufs()


class WeightedEnergy:
    """The K-weighted energy of each `PEAK_BLOCK` frames: it tells the loudness under any gain that changes smoothly.

    Strictly, a gain belongs before the filter. With that of a limiter the difference is below 0.1 LU, and each further
    gain costs a hundredth of what filtering again would.
    """

    def __init__(self, samples: Samples, sample_rate: int) -> None:
        """Filter one or two channels; arguments as for `integrated_lufs`."""
        blocks = -(-len(samples) // PEAK_BLOCK)
        self._energies = np.zeros(blocks)
        self._gating_block = min(GATING_BLOCK * sample_rate, len(samples)) / PEAK_BLOCK
        for channel in samples.T:
            sound = np.zeros(blocks * PEAK_BLOCK)
            sound[: len(channel)] = channel
            for gain, quality, frequency, kind in FILTERS:
                sound = IIRfilter(gain, quality, frequency, sample_rate, kind).apply_filter(sound)
            parts = sound.reshape(blocks, PEAK_BLOCK)
            self._energies += np.einsum("ij,ij->i", parts, parts)

    def lufs(self, gains: Doubles | float = 1.0) -> float | None:
        """The integrated loudness in LUFS with these gains at the blocks; None for silence."""
        if not len(self._energies):
            return None
        powers = self._powers(gains)
        powers = powers[powers > 10 ** ((ABSOLUTE_GATE - OFFSET) / 10)]
        if not len(powers):
            return None
        powers = powers[powers > powers.mean() * 10 ** (RELATIVE_GATE / 10)]
        return float(OFFSET + 10 * np.log10(powers.mean()))

    def _powers(self, gains: Doubles | float) -> Doubles:
        """The mean weighted power of each gating block, summed over channels."""
        sums = np.concatenate(([0.0], np.cumsum(self._energies * np.square(gains))))
        step = self._gating_block / OVERLAP
        starts = np.arange(max(round(len(self._energies) / step) - OVERLAP + 1, 1)) * step
        places = np.arange(len(sums))
        first, last = np.interp(starts, places, sums), np.interp(starts + self._gating_block, places, sums)
        return np.asarray((last - first) / (self._gating_block * PEAK_BLOCK))


def block_peaks(samples: Samples, sample_rate: int) -> NDArray[np.float32]:
    """The true peak of each `PEAK_BLOCK` frames, over all channels.

    The method is that of BS.1770-4, annex 2: the highest of four times as many samples. libsoxr's filter is longer than
    the recommendation's example.

    Args:
        samples: float32 of shape [frames, channels].
        sample_rate: in hertz.

    Returns:
        float32 of shape [blocks]: amplitudes, full scale at 1.
    """
    parts = [_segment_peaks(samples, start, sample_rate) for start in range(0, len(samples), SEGMENT)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def true_peak(samples: Samples, sample_rate: int) -> float:
    """The true peak as an amplitude, full scale at 1; arguments as for `block_peaks`."""
    return float(np.max(block_peaks(samples, sample_rate), initial=0.0))


def decibels(amplitude: float) -> float:
    """An amplitude in decibels below full scale; at least -200."""
    return 20 * math.log10(max(amplitude, 1e-10))


def amplitude(level: float) -> float:
    """The amplitude of a level in decibels."""
    return float(10 ** (level / 20))


def _segment_peaks(samples: Samples, start: int, sample_rate: int) -> NDArray[np.float32]:
    first = max(0, start - CONTEXT)
    stop = min(len(samples), start + SEGMENT)
    part = np.ascontiguousarray(samples[first : stop + CONTEXT], np.float32)
    more = soxr.resample(part, sample_rate, OVERSAMPLING * sample_rate, "HQ")
    between = _highest(more[(start - first) * OVERSAMPLING : (stop - first) * OVERSAMPLING], PEAK_BLOCK * OVERSAMPLING)
    # The filter is flat up to 91% of the band only, so the samples themselves count as well.
    own = _highest(part[start - first : stop - first], PEAK_BLOCK)
    return np.maximum(own, between[: len(own)])


def _highest(samples: Samples, frames: int) -> NDArray[np.float32]:
    """The highest amplitude of each `frames` frames. Flat, because numpy is slow over short axes."""
    size = frames * samples.shape[1]
    return np.maximum.reduceat(np.abs(samples).reshape(-1), np.arange(0, samples.size, size))
