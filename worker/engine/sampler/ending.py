"""Ends a piece where it shall: exactly as long as was wanted, faded out before."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FADE = 12800


class Ending:
    """The last thing a piece goes through. Without a length it changes nothing."""

    def __init__(self, total: int | None) -> None:
        """Prepare it.

        Args:
            total: samples that the piece shall have, or None.
        """
        self._total = total
        self._done = 0

    @property
    def left(self) -> int | None:
        """Samples that are still wanted; None if any number is."""
        return None if self._total is None else self._total - self._done

    def push(self, sound: Floats) -> Floats:
        """What is wanted of float32 of shape [2, samples]; its last 0.4 s fade."""
        if self._total is None:
            return sound
        sound = sound[:, : self._total - self._done]
        to_end = self._total - self._done - np.arange(sound.shape[1])
        self._done += sound.shape[1]
        if sound.shape[1] == 0 or to_end[-1] > FADE:
            return sound
        return sound * faded(to_end / min(FADE, self._total))


def faded(shares: NDArray[np.float64]) -> Floats:
    """Gains from the shares of a fade that are left: 1 at 1 and above, 0 at 0, a half cosine between."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(shares, 0, 1)), np.float32)
