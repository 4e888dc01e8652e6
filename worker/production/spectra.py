"""Short-time spectra of music."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from worker.engine.interface import Samples

Floats = NDArray[np.float32]

# Frames that are analysed at once, so that long music takes little memory.
BLOCK = 2048


def mono(samples: Samples) -> Floats:
    """The mean of the channels, at a level (RMS) of 1; silence stays silent."""
    mixed = samples.mean(axis=1, dtype=np.float32)
    level = float(np.sqrt(np.mean(mixed**2))) if len(mixed) else 0.0
    return np.asarray(mixed / np.float32(max(level, 1e-9)))


def window_length(sample_rate: int, seconds: float) -> int:
    """The power of two nearest to so many seconds."""
    return 1 << round(math.log2(seconds * sample_rate))


def magnitudes(sound: Floats, sample_rate: int, frame_rate: int, seconds: float) -> Iterator[Floats]:
    """Magnitudes under a Hann window, in blocks of shape [frames, frequencies]; a sine's peak is its amplitude / 2.

    Args:
        sound: one channel.
        sample_rate: in hertz.
        frame_rate: frames per second; frame i is centred on i / `frame_rate` seconds.
        seconds: length of the window.
    """
    length = window_length(sample_rate, seconds)
    window = (np.hanning(length) * (2 / length)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, (length // 2, length)), length)
    starts = np.arange(len(sound) * frame_rate // sample_rate) * sample_rate // frame_rate
    for first in range(0, len(starts), BLOCK):
        yield np.abs(np.fft.rfft(frames[starts[first : first + BLOCK]] * window))
