"""What all streams go through together: levelled, limited, in blocks that lie on a fixed grid."""

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.leveller import Leveller
from worker.engine.sampler.limiter import AHEAD, Limiter
from worker.engine.sampler.loudness import power

Floats = NDArray[np.float32]

BLOCK = 1024
# So many samples are kept back until later ones are known.
DELAY = BLOCK + AHEAD


class Bus:
    """One piece's. The grid makes its result the same however the piece is cut into chunks."""

    def __init__(self) -> None:
        self._leveller = Leveller()
        self._limiter = Limiter()
        self._waiting = np.zeros((2, 0), np.float32)
        self._before = np.zeros((2, BLOCK), np.float32)
        self._gain: float | None = None
        self._skip = AHEAD

    def push(self, sound: Floats) -> Floats:
        """Take float32 of shape [2, samples]; returns what is final now, shaped like it.

        The first sound is best a whole step, for the first guess at the piece's loudness is made of it.
        """
        if not self._leveller.has_begun:
            self._leveller.begin(_mean_power(sound))
        self._waiting = np.concatenate((self._waiting, sound), axis=1)
        whole = self._waiting.shape[1] // BLOCK * BLOCK
        blocks = [self._block(self._waiting[:, at : at + BLOCK]) for at in range(0, whole, BLOCK)]
        self._waiting = self._waiting[:, whole:]
        return np.concatenate([np.zeros((2, 0), np.float32), *blocks], axis=1)

    def finish(self) -> Floats:
        """All that is left."""
        left = self._waiting.shape[1] + AHEAD - self._skip
        return self.push(np.zeros((2, DELAY + BLOCK), np.float32))[:, :left]

    def _block(self, sound: Floats) -> Floats:
        gain = self._leveller.push(power(np.concatenate((self._before, sound), axis=1)))
        before = gain if self._gain is None else self._gain
        self._before, self._gain = sound, gain
        ramp = np.linspace(before, gain, BLOCK, endpoint=False, dtype=np.float32)
        limited = self._limiter.push(sound * ramp)
        skipped, self._skip = self._skip, 0
        return limited[:, skipped:]


def _mean_power(sound: Floats) -> float:
    """The mean of the windows that a sound has; its end, if it is no whole one, is left out."""
    windows = [power(sound[:, at : at + BLOCK]) for at in range(0, sound.shape[1] - BLOCK + 1, BLOCK // 2)]
    return float(np.mean(windows)) if windows else 0.0
