"""How loud something is, in LUFS, after ITU-R BS.1770-4: a weighted spectrum, and the power of all channels."""

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAMPLE_RATE = 32000
# The recommendation's two filters, in its tables 1 and 2, are for 48 kHz.
TABLE_RATE = 48000
SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
OFFSET = -0.691


@functools.cache
def weights(size: int) -> Floats:
    """What each bin of a real spectrum counts in the mean power of a Hann window.

    Args:
        size: samples in the window.

    Returns:
        float32 of shape [size // 2 + 1]: the sum of `weights * abs(spectrum) ** 2` is a power.
    """
    turns = np.exp(-2j * np.pi * np.arange(size // 2 + 1) * SAMPLE_RATE / size / TABLE_RATE)
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


def power(audio: Floats) -> float:
    """The weighted power of one window, summed over channels; audio is [..., samples]."""
    spectrum = np.fft.rfft(audio * window(audio.shape[-1]))
    return float(np.sum((spectrum.real**2 + spectrum.imag**2) * weights(audio.shape[-1])))


def lufs(mean_power: float) -> float:
    """The loudness that a weighted power is; -120 for silence."""
    return OFFSET + 10 * float(np.log10(max(mean_power, 1e-12)))
