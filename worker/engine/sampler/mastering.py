"""What the mix passes through: loudness levelling, a limiter and the fade-out at the end."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.loudness import lufs, power

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


BLOCK = 1024
# So many samples are kept back until later ones are known.
DELAY = BLOCK + AHEAD


class MasterBus:
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


FADE = 12800


class FadeOut:
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
