"""Loudness of short blocks after ITU-R BS.1770-4: the power of the K-weighted spectrum, summed over channels."""

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# The two filters in tables 1 and 2 of the recommendation, for 48 kHz.
TABLE_RATE = 48000
SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
OFFSET = -0.691


@functools.cache
def weights(size: int, sample_rate: int) -> Floats:
    """The weight of each bin of a real spectrum in the mean power of a Hann window.

    Args:
        size: the window's length in samples.
        sample_rate: in hertz.

    Returns:
        float32 of shape [size // 2 + 1]: the sum of `weights * abs(spectrum) ** 2` is a power.
    """
    turns = np.exp(-2j * np.pi * np.arange(size // 2 + 1) * sample_rate / size / TABLE_RATE)
    response = np.ones(len(turns))
    for zeros, poles in (SHELF, HIGH_PASS):
        response *= np.abs(np.polyval(zeros[::-1], turns) / np.polyval(poles[::-1], turns)) ** 2
    sides = np.full(len(turns), 2.0)
    sides[[0, -1]] = 1.0
    return np.asarray(response * sides / (size * np.sum(window(size) ** 2)), np.float32)


@functools.cache
def window(size: int) -> Floats:
    """A periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size), np.float32)


def power(audio: Floats, sample_rate: int) -> float:
    """The weighted power of one window, summed over channels; audio is [..., samples]."""
    spectrum = np.fft.rfft(audio * window(audio.shape[-1]))
    return float(np.sum((spectrum.real**2 + spectrum.imag**2) * weights(audio.shape[-1], sample_rate)))


def lufs(mean_power: float) -> float:
    """Convert a weighted power to LUFS; -120 for silence."""
    return OFFSET + 10 * float(np.log10(max(mean_power, 1e-12)))
