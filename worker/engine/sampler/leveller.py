"""Brings every piece to the same loudness, slowly, so that what is quiet beside what is loud stays so."""

from collections import deque

import numpy as np

from worker.engine.sampler.loudness import lufs

# LUFS: what streaming services play at (-14), which pieces come near to from below and above; and what counts as
# silence before any gain.
TARGET = -14.3
SILENCE = -48.0
# Blocks of which loudness is the mean, 0.4 s, gaps between notes among them; and by how many dB they may be softer than
# what was heard before and still count (BS.1770-4 has 10, but of the whole piece).
MOMENT = 12
GATE = 14.0
# For so many blocks the piece's first sound is believed to be typical of it.
BELIEF = 12
# A piece begins on a strong beat: the power of all that follows is less.
FIRST_BEAT = 0.65
# Decibels, while nothing was heard but what counts as silence.
TYPICAL = 10.0
# Blocks that the mean remembers, and the part of the way to the wanted gain that one block goes.
MEMORY = 120
SPEED = 0.12
LEAST, MOST = -12.0, 25.0
# A block this much (dB) above the target is compressed, by this share; it lets go by so much a block.
KNEE = 3.5
RATIO = 0.5
RECOVERY = 0.85


class Leveller:
    """One gain for each block of a piece."""

    def __init__(self) -> None:
        self._moment: deque[float] = deque(maxlen=MOMENT)
        self._mean = 0.0
        self._blocks = 0
        self._decibels = TYPICAL
        self._reduction = 0.0

    @property
    def has_begun(self) -> bool:
        """Whether anything was heard."""
        return self._blocks > 0

    def begin(self, power: float) -> None:
        """Take a first guess, so that the first note is no louder or softer than the others.

        Args:
            power: of as much as is known of the piece's beginning; of silence it is not taken.
        """
        if lufs(power) > SILENCE:
            self._mean, self._blocks = power * FIRST_BEAT, BELIEF
            self._decibels = self._wanted()

    def push(self, power: float) -> float:
        """The factor for a block.

        Args:
            power: its weighted power before any gain; see `loudness.power`.
        """
        over = max(0.0, lufs(power) + self._decibels - TARGET - KNEE)
        self._reduction = max(RATIO * over, RECOVERY * self._reduction)
        if self.has_begun:
            self._learn(power * 10 ** (-self._reduction / 10))
        return float(np.power(10.0, (self._decibels - self._reduction) / 20))

    def _learn(self, power: float) -> None:
        self._moment.append(power)
        heard = sum(self._moment) / len(self._moment)
        if lufs(heard) <= max(SILENCE, lufs(self._mean) - GATE):
            return
        self._blocks += 1
        self._mean += (heard - self._mean) * max(1 / self._blocks, 1 / MEMORY)
        self._decibels += max(SPEED, 1 / self._blocks) * (self._wanted() - self._decibels)

    def _wanted(self) -> float:
        return min(MOST, max(LEAST, TARGET - lufs(self._mean)))
