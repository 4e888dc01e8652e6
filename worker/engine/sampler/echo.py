"""Echoes in the tempo of the piece, which alternate between left and right (a ping-pong delay)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Level of each echo against the one before; after the piece has ended they fade faster.
FEEDBACK, LAST_FEEDBACK = np.float32(0.35), np.float32(0.1)
SILENT = np.zeros((2, 0), np.float32)


class Echo:
    """The echoes of one stream. The first one sets their distance."""

    def __init__(self) -> None:
        self._line = SILENT
        self._level, self._wanted, self._feedback = 0.0, 0.0, FEEDBACK

    @property
    def loudest(self) -> float:
        """The peak of all echoes to come."""
        return float(np.abs(self._line).max(initial=0.0))

    def follow(self, level: float, distance: int) -> None:
        """Set the level of the first echo from now on; `distance` is the number of samples between echoes."""
        self._wanted, self._feedback = level, FEEDBACK
        if level and not self._line.shape[1]:
            self._line = np.zeros((2, distance), np.float32)

    def end(self) -> None:
        """Let the echoes fade faster."""
        self._feedback = LAST_FEEDBACK

    def push(self, sound: Floats) -> Floats:
        """Add echoes to float32 of shape [2, samples], which follow those of the last call."""
        longest = self._line.shape[1]
        if not longest or not sound.shape[1]:
            return sound
        blocks = [self._block(sound[:, at : at + longest]) for at in range(0, sound.shape[1], longest)]
        return np.concatenate(blocks, axis=1)

    def _block(self, sound: Floats) -> Floats:
        """Process a block no longer than the line, within which the echoes cannot feed back."""
        count = sound.shape[1]
        late = self._line[:, :count]
        # A ramp, because a jump would click.
        levels = np.linspace(self._level, self._wanted, count, dtype=np.float32)
        self._level = self._wanted
        sent = self._feedback * late[::-1]
        sent[0] += levels * sound.mean(axis=0)
        self._line = np.concatenate((self._line[:, count:], sent), axis=1)
        return sound + late
