"""Keeps every sample below a ceiling: it sees a peak before it comes, and turns down in time."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CEILING = np.float32(0.97)
# Samples that it looks ahead, in which the gain moves from one value to another; and for how long it stays.
AHEAD = 128
WINDOW = 1024


class Limiter:
    """One piece's. What comes out is `AHEAD` samples later than what goes in."""

    def __init__(self) -> None:
        self._sound = np.zeros((2, AHEAD), np.float32)
        self._wanted = np.ones(WINDOW + AHEAD - 2, np.float32)

    def push(self, sound: Floats) -> Floats:
        """As many samples as go in.

        Args:
            sound: float32 of shape [2, samples].
        """
        count = sound.shape[1]
        peaks = np.maximum(np.max(np.abs(sound), axis=0), CEILING)
        self._wanted = np.concatenate((self._wanted[-(WINDOW + AHEAD - 2) :], CEILING / peaks))
        lowest = _sliding_minimum(self._wanted)
        sums = np.cumsum(np.concatenate(([0.0], lowest)))
        gains = (sums[AHEAD:] - sums[:-AHEAD]) / AHEAD
        self._sound = np.concatenate((self._sound[:, -AHEAD:], sound), axis=1)
        return np.asarray(self._sound[:, :count] * gains, np.float32)


def _sliding_minimum(values: Floats) -> Floats:
    """The least of each `WINDOW` values, a power of two."""
    width = 1
    while width < WINDOW:
        values = np.minimum(values[width:], values[:-width])
        width *= 2
    return values
