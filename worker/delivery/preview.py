"""Live audio of a model that writes scores: its raw mix through a leveller, a limiter and the fade-out of the end.

The stored file is mastered from the whole piece instead; see `worker/production`.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from worker.delivery.k_weighting import lufs, power
from worker.engine.interface import Samples
from worker.production.fade import fade_gains

Floats = NDArray[np.float32]

CEILING = np.float32(0.97)
# Lookahead in samples, over which the gain changes, and the hold time in samples.
AHEAD = 128
WINDOW = 1024


class Limiter:
    """A lookahead limiter: no sample exceeds `CEILING`. Delays the audio by `AHEAD` samples."""

    def __init__(self, channels: int) -> None:
        self._sound = np.zeros((channels, AHEAD), np.float32)
        self._wanted = np.ones(WINDOW + AHEAD - 2, np.float32)

    def push(self, sound: Floats) -> Floats:
        """Limit float32 of shape [channels, samples]; returns the same number of samples."""
        count = sound.shape[1]
        peaks = np.maximum(np.max(np.abs(sound), axis=0), CEILING)
        self._wanted = np.concatenate((self._wanted[-(WINDOW + AHEAD - 2) :], CEILING / peaks))
        lowest = _sliding_minimum(self._wanted)
        sums = np.cumsum(np.concatenate(([0.0], lowest)))
        gains = (sums[AHEAD:] - sums[:-AHEAD]) / AHEAD
        self._sound = np.concatenate((self._sound[:, -AHEAD:], sound), axis=1)
        return np.asarray(self._sound[:, :count] * gains, np.float32)


def _sliding_minimum(values: Floats) -> Floats:
    """The minimum of each `WINDOW` values; `WINDOW` is a power of two."""
    width = 1
    while width < WINDOW:
        values = np.minimum(values[width:], values[:-width])
        width *= 2
    return values


# Target loudness in LUFS, near the -14 of streaming services, and the loudness before gain that counts as silence.
TARGET = -14.3
SILENCE = -48.0
# Blocks per loudness measurement, 0.4 s, and the relative gate in dB (BS.1770-4 has 10, but over the whole piece).
MOMENT = 12
GATE = 14.0
# Weight in blocks of the first loudness estimate.
BELIEF = 12
# A piece begins on a strong beat, so its average power is lower than that of its first step.
FIRST_BEAT = 0.65
# Gain in decibels before the first sound.
TYPICAL = 10.0
# Time constant of the mean in blocks, and the share of the gain's error that one block corrects.
MEMORY = 120
SPEED = 0.12
LEAST, MOST = -12.0, 25.0
# Compression starts this many dB above the target, with this ratio; the reduction decays by this factor per block.
KNEE = 3.5
RATIO = 0.5
RECOVERY = 0.85


class Leveller:
    """Brings a piece to the target loudness, one gain per block, slowly enough to keep its dynamics."""

    def __init__(self) -> None:
        self._moment: deque[float] = deque(maxlen=MOMENT)
        self._mean = 0.0
        self._blocks = 0
        self._decibels = TYPICAL
        self._reduction = 0.0

    @property
    def has_begun(self) -> bool:
        """Whether a block has counted."""
        return self._blocks > 0

    def begin(self, power: float) -> None:
        """Set a first estimate, so that the first note is as loud as the others.

        Args:
            power: the weighted power of the piece's beginning; silence sets no estimate.
        """
        if lufs(power) > SILENCE:
            self._mean, self._blocks = power * FIRST_BEAT, BELIEF
            self._decibels = self._wanted()

    def push(self, power: float) -> float:
        """The gain factor for a block.

        Args:
            power: the block's weighted power before any gain; see `loudness.power`.
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
# Samples that are held back until later ones are known.
DELAY = BLOCK + AHEAD


class MasterBus:
    """The leveller and the limiter, in blocks on a fixed grid, so that the result does not depend on the chunks."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sample_rate = sample_rate
        self._channels = channels
        self._leveller = Leveller()
        self._limiter = Limiter(channels)
        self._waiting = np.zeros((channels, 0), np.float32)
        self._before = np.zeros((channels, BLOCK), np.float32)
        self._gain: float | None = None
        self._skip = AHEAD

    def push(self, sound: Floats) -> Floats:
        """Take float32 of shape [channels, samples]; returns the samples that are final, in the same layout.

        The first call should be a whole step, since it sets the first estimate of the piece's loudness.
        """
        if not self._leveller.has_begun:
            self._leveller.begin(self._mean_power(sound))
        self._waiting = np.concatenate((self._waiting, sound), axis=1)
        whole = self._waiting.shape[1] // BLOCK * BLOCK
        blocks = [self._block(self._waiting[:, at : at + BLOCK]) for at in range(0, whole, BLOCK)]
        self._waiting = self._waiting[:, whole:]
        return np.concatenate([np.zeros((self._channels, 0), np.float32), *blocks], axis=1)

    def finish(self) -> Floats:
        """Return the remaining samples."""
        left = self._waiting.shape[1] + AHEAD - self._skip
        return self.push(np.zeros((self._channels, DELAY + BLOCK), np.float32))[:, :left]

    def _block(self, sound: Floats) -> Floats:
        gain = self._leveller.push(power(np.concatenate((self._before, sound), axis=1), self._sample_rate))
        before = gain if self._gain is None else self._gain
        self._before, self._gain = sound, gain
        ramp = np.linspace(before, gain, BLOCK, endpoint=False, dtype=np.float32)
        limited = self._limiter.push(sound * ramp)
        skipped, self._skip = self._skip, 0
        return limited[:, skipped:]

    def _mean_power(self, sound: Floats) -> float:
        """The mean power of all whole windows."""
        starts = range(0, sound.shape[1] - BLOCK + 1, BLOCK // 2)
        windows = [power(sound[:, at : at + BLOCK], self._sample_rate) for at in starts]
        return float(np.mean(windows)) if windows else 0.0


class Preview:
    """The live audio of one take."""

    def __init__(self, sample_rate: int, channels: int, frames: int, *, fades: bool) -> None:
        """Begin a take.

        Args:
            sample_rate: in hertz.
            channels: of the audio.
            frames: the take's length; what sounds after it is dropped.
            fades: whether the end fades out.
        """
        self._bus = MasterBus(sample_rate, channels)
        self._sample_rate = sample_rate
        self._frames = frames
        self._fades = fades
        self._done = 0

    def push(self, samples: Samples) -> Samples:
        """Take the next raw samples, of shape [frames, channels]; returns those that are final, in the same layout."""
        return self._end(self._bus.push(samples.T))

    def finish(self) -> Samples:
        """Return the remaining samples."""
        return self._end(self._bus.finish())

    def _end(self, sound: Floats) -> Samples:
        samples = sound.T[: self._frames - self._done]
        if self._fades:
            samples = samples * fade_gains(self._frames, self._sample_rate, self._done, len(samples))[:, None]
        self._done += len(samples)
        return samples
