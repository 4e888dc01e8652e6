"""Loudness and true peak after ITU-R BS.1770-4."""

import math

import numpy as np
import pyloudnorm
import soxr
from numpy.typing import NDArray

from worker.engine.interface import Samples

# The gating block of the recommendation, in seconds.
GATING_BLOCK = 0.4
# Loudness below the recommendation's absolute gate is not measured.
ABSOLUTE_GATE = -70.0
OVERSAMPLING = 4
# Frames for which one true peak is given.
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
    if not len(samples):
        return None
    # A little less than the length, which the meter compares in floating point.
    block = min(GATING_BLOCK, len(samples) / sample_rate * (1 - 1e-9))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lufs = float(pyloudnorm.Meter(sample_rate, block_size=block).integrated_loudness(samples))
    return lufs if ABSOLUTE_GATE < lufs < math.inf else None


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
