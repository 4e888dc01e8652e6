"""Raises the highs of a stream whose recordings have little of them: a shelf of two taps."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Air:
    """The shelf of one stream: the sound and its difference from sample to sample, without a delay.

    At 32 kHz a level of 3 adds 2 dB at 2 kHz, 5 dB at 4 kHz, 9 dB at 8 kHz and 12 dB at 16 kHz.
    """

    def __init__(self) -> None:
        self._level = np.float32(0)
        self._last = np.zeros((2, 1), np.float32)

    def follow(self, level: float) -> None:
        """Set how much of the difference is added from now on."""
        self._level = np.float32(level / 2)

    def push(self, sound: Floats) -> Floats:
        """Raise the highs of float32 of shape [2, samples], which follow those of the last call."""
        heard = np.concatenate((self._last, sound), axis=1)
        self._last = heard[:, -1:]
        return sound + self._level * np.diff(heard, axis=1) if self._level else sound
