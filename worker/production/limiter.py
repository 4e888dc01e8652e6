"""A look-ahead limiter: one gain curve, computed from the peaks of the mix and applied to the mix and the stems."""

import numpy as np
from numpy.typing import NDArray

from worker.production.loudness import PEAK_BLOCK

Gains = NDArray[np.float64]

# Seconds in which the gain falls before a peak.
LOOK_AHEAD = 0.005


def limiter_gains(peaks: NDArray[np.float32], ceiling: float, sample_rate: int, release: float) -> Gains:
    """The gain at the centre of each block, between which it is interpolated.

    The gain that each block needs is held over the look-ahead, released at a constant rate, and smoothed by a window as
    long as the look-ahead. Each value of the window's mean is at most what the block needs, so the mean is as well.

    Args:
        peaks: the true peak of each `PEAK_BLOCK` frames, as amplitudes.
        ceiling: the highest amplitude allowed.
        sample_rate: in hertz.
        release: decibels per second by which the gain rises after a peak.

    Returns:
        float64 of shape [blocks], at most 1.
    """
    needed = 20 * np.log10(np.minimum(1.0, ceiling / np.maximum(peaks, 1e-10)))
    # Interpolation reaches into the neighbours of a block.
    needed = _lowest(np.pad(needed, 1), 3)
    ahead = max(round(LOOK_AHEAD * sample_rate / PEAK_BLOCK), 1)
    held = _lowest(np.pad(needed, (0, ahead)), ahead + 1)
    rise = np.arange(len(held)) * release * PEAK_BLOCK / sample_rate
    released = np.minimum.accumulate(held - rise) + rise
    window = np.hanning(ahead + 3)[1:-1]
    smooth = np.convolve(np.pad(released, (ahead, 0), mode="edge"), window / window.sum(), mode="valid")
    return np.asarray(10 ** (np.minimum(smooth, 0.0) / 20))


def _lowest(values: Gains, count: int) -> Gains:
    """The lowest of each `count` values."""
    width = 1
    while width < count:
        step = min(width, count - width)
        values = np.minimum(values[step:], values[:-step])
        width += step
    return values
