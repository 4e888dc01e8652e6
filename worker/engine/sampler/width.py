"""Widens a stream with early reflections that cancel in mono."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Delays in samples and gains of the early reflections that widen a stream, 7 to 24 ms with the filter's delay.
REFLECTIONS = ((185, 0.5), (331, -0.5), (499, 0.5), (713, -0.5))
LONGEST_REFLECTION = max(delay for delay, _ in REFLECTIONS)
# The mean of this many samples is subtracted from what is reflected: low frequencies stay in the middle.
SMOOTHED = 96


class Widener:
    """Widens one stream."""

    def __init__(self, width: float) -> None:
        """Begin a piece; `width` is the level of the reflections."""
        self._width = np.float32(width)
        self._middle = np.zeros(SMOOTHED - 1, np.float32)
        self._reflected = np.zeros(LONGEST_REFLECTION, np.float32)

    def push(self, sound: Floats) -> Floats:
        """Add early reflections of the middle to the left, and subtract them from the right.

        So they cancel in mono, and a mono listener hears the stream as it was (Schroeder, "An artificial stereophonic
        effect obtained from a single audio signal", 1958).

        Args:
            sound: float32 of shape [2, samples], which follow those of the last call.
        """
        if not self._width or not sound.shape[1]:
            return sound
        count = sound.shape[1]
        heard = np.concatenate((self._reflected, self._without_lows(sound.mean(axis=0))))
        self._reflected = heard[count:]
        begins = [(LONGEST_REFLECTION - delay, np.float32(gain)) for delay, gain in REFLECTIONS]
        side = self._width * sum(gain * heard[at : at + count] for at, gain in begins)
        return np.stack((sound[0] + side, sound[1] - side))

    def _without_lows(self, middle: Floats) -> Floats:
        """Subtract the moving mean; delays by half its length."""
        heard = np.concatenate((self._middle, middle))
        self._middle = heard[len(middle) :]
        sums = np.cumsum(np.pad(heard, (1, 0)), dtype=np.float64)
        means = (sums[SMOOTHED:] - sums[:-SMOOTHED]) / SMOOTHED
        return np.asarray(heard[SMOOTHED // 2 :][: len(middle)] - means, np.float32)
