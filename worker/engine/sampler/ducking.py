"""Lowers a stream while the kick sounds (side-chain ducking). The kicks are known, so that nothing is detected."""

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.clock import SAMPLE_RATE

Floats = NDArray[np.float32]

# Samples until the stream is lowest after a kick, and until it is back.
ATTACK, RECOVERY = round(0.004 * SAMPLE_RATE), round(0.24 * SAMPLE_RATE)


def _dip() -> Floats:
    """From 0 up to 1 and back to 0."""
    down = np.linspace(0, 1, ATTACK, endpoint=False)
    back = np.cos(np.linspace(0, np.pi, RECOVERY - ATTACK)) / 2 + 0.5
    return np.concatenate((down, back)).astype(np.float32)


DIP = _dip()


class Ducking:
    """The ducking of one stream."""

    def __init__(self, depth: float, start: int = 0) -> None:
        """Begin a piece at the sample `start`; `depth` is the share by which a kick lowers the stream."""
        self._depth = np.float32(depth)
        self._kicks: list[int] = []
        self._now = start

    def add(self, kick: int) -> None:
        """Add a kick at a sample of the piece, which is not before those of the next `push`."""
        if self._depth:
            self._kicks.append(kick)

    def push(self, sound: Floats) -> Floats:
        """Duck float32 of shape [2, samples], which follow those of the last call."""
        count, start = sound.shape[1], self._now
        self._now += count
        self._kicks = [kick for kick in self._kicks if kick + RECOVERY > start]
        if not self._kicks:
            return sound
        dips = np.zeros(count, np.float32)
        for kick in self._kicks:
            begin, skipped = max(kick - start, 0), max(start - kick, 0)
            part = DIP[skipped : skipped + max(count - begin, 0)]
            dips[begin : begin + len(part)] = np.maximum(dips[begin : begin + len(part)], part)
        return sound * (1 - self._depth * dips)
