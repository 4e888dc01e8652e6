"""Brings every piece to the same loudness, slowly, so that what is quiet beside what is loud stays so."""

import numpy as np

from worker.engine.sampler.loudness import lufs

# LUFS: what streaming services play at, and what counts as silence before any gain.
TARGET = -14.0
SILENCE = -48.0
# LUFS that a piece is taken to have before it is heard, and in how many blocks it is believed less than what is heard.
EXPECTED = -19.0
BELIEF = 24
# Blocks that the mean remembers, and the part of the way to the wanted gain that one block goes.
MEMORY = 280
SPEED = 0.06
LEAST, MOST = -12.0, 22.0
# A block this much (dB) above the target is compressed, by this share; it lets go by so much a block.
KNEE = 3.5
RATIO = 0.5
RECOVERY = 0.85


class Leveller:
    """One gain for each block of a piece."""

    def __init__(self) -> None:
        self._mean = float(10 ** (EXPECTED / 10))
        self._blocks = BELIEF
        self._decibels = TARGET - EXPECTED
        self._reduction = 0.0

    def push(self, power: float) -> float:
        """The factor for a block.

        Args:
            power: its weighted power before any gain; see `loudness.power`.
        """
        if lufs(power) > SILENCE:
            self._blocks += 1
            self._mean += (power - self._mean) * max(1 / self._blocks, 1 / MEMORY)
        wanted = min(MOST, max(LEAST, TARGET - lufs(self._mean)))
        self._decibels += SPEED * (wanted - self._decibels)
        over = max(0.0, lufs(power) + self._decibels - TARGET - KNEE)
        self._reduction = max(RATIO * over, RECOVERY * self._reduction)
        return float(np.power(10.0, (self._decibels - self._reduction) / 20))
