"""Finds the level of a file: one static gain and, if peaks would exceed the ceiling, the curve of a limiter."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.engine.interface import Samples
from worker.production.limiter import Gains, limiter_gains
from worker.production.loudness import PEAK_BLOCK, WeightedEnergy, amplitude, block_peaks, decibels

# The highest true peak in a file, in dBTP: lossy encoders and converters need this room.
HIGHEST_PEAK = -1.0
# Loudness in LUFS of scores whose request names none: that of streaming services.
DEFAULT_LUFS = -14.0
# The highest gain in decibels, so that what is meant to be silent stays so.
MOST_GAIN = 40.0
# Decibels of error at which the search ends, and the error that a warning tells.
PRECISION, TOLERANCE = 0.1, 0.5
MOST_TRIES = 12
# How far the search first raises the gain for each decibel that is missing, since the limiter takes a part of it.
STRIDE = 1.5
# Decibels by which the limiter reduces peaks at most: more only distorts.
MOST_LIMITING = 24.0
# Decibels per second by which the limiter recovers: the slowest that reaches the target has the least distortion.
RELEASES = (80.0, 400.0, 2000.0)
# Frames that are processed at a time.
BLOCK = 65_536


class Level(NamedTuple):
    """A static gain, and the gains of a limiter at the centres of blocks of `PEAK_BLOCK` frames."""

    gain: float = 1.0
    limiter: Gains | None = None

    def apply(self, samples: Samples) -> None:
        """Change float32 of shape [frames, channels] in place."""
        if self.limiter is None:
            if self.gain != 1.0:
                samples *= np.float32(self.gain)
            return
        gains = np.pad((self.limiter * self.gain).astype(np.float32), (1, 2), mode="edge")
        for start in range(0, len(samples), BLOCK):
            part = samples[start : start + BLOCK]
            first, blocks = start // PEAK_BLOCK, -(-len(part) // PEAK_BLOCK)
            part *= _frame_gains(gains[first : first + blocks + 2])[: len(part), np.newaxis]

    def times(self, factor: float) -> "Level":
        """This level with another gain after it."""
        return self._replace(gain=self.gain * factor)


def _frame_gains(gains: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gains of the frames between the centres of blocks, on straight lines.

    Args:
        gains: at the centres of blocks, the one before the frames' first block and the one after the last among them.
    """
    half = PEAK_BLOCK // 2
    shares = (np.arange(PEAK_BLOCK, dtype=np.float32) + np.float32(0.5)) / np.float32(PEAK_BLOCK)
    lines = gains[:-1, np.newaxis] + np.diff(gains)[:, np.newaxis] * shares
    return lines.reshape(-1)[half:]


class Mastering:
    """Finds levels of one mix, which is measured only once."""

    def __init__(self, mix: Samples, sample_rate: int) -> None:
        """Measure a mix: float32 of shape [frames, channels], and its sample rate in hertz."""
        self._peaks = block_peaks(mix, sample_rate)
        self._energy = WeightedEnergy(mix, sample_rate)
        self._sample_rate = sample_rate

    def find_level(self, target: float | None, ceiling: float) -> Level:
        """Find the level of the mix: the one closest to the target, if it cannot be reached.

        Args:
            target: integrated loudness in LUFS; None keeps the level, unless its true peak is too high.
            ceiling: the highest true peak, in dBTP.
        """
        highest = float(np.max(self._peaks, initial=0.0))
        lufs = None if target is None else self._energy.lufs()
        if target is None or lufs is None:
            return Level(amplitude(ceiling) / highest if decibels(highest) > ceiling else 1.0)
        gain = min(target - lufs, MOST_GAIN)
        if gain + decibels(highest) <= ceiling:
            return Level(amplitude(gain))
        found = _Search(self._peaks, self._energy, self._sample_rate, target, ceiling)
        for release in RELEASES:
            found.try_release(release, gain)
            if abs(target - found.reached) <= PRECISION:
                break
        return found.level


class _Search:
    """The search for a limited level.

    Attributes:
        level: whose loudness is closest to the target so far.
        reached: its loudness.
    """

    def __init__(
        self, peaks: NDArray[np.float32], energy: WeightedEnergy, sample_rate: int, target: float, ceiling: float
    ) -> None:
        self._peaks = peaks
        self._energy = energy
        self._sample_rate = sample_rate
        self._target = target
        self._ceiling = amplitude(ceiling)
        self.level = Level()
        self.reached = -np.inf

    def try_release(self, release: float, gain: float) -> None:
        """Search upwards from the gain in decibels that would do without the limiter, then between two gains.

        Loudness rises with the gain but for the meter's gates, so both ends are kept.
        """
        low, high = (gain, -np.inf), None
        most = min(gain + MOST_LIMITING, MOST_GAIN)
        for number in range(1, MOST_TRIES + 1):
            reached = self._try(gain, release)
            missing = self._target - reached
            if abs(missing) <= PRECISION or (missing > 0 and gain >= most):
                return
            if missing > 0:
                low = gain, reached
            else:
                high = gain, reached
            gain = min(gain + STRIDE * number * missing, most) if high is None else self._between(low, high)

    def _between(self, low: tuple[float, float], high: tuple[float, float]) -> float:
        """The gain on the line between two gains and their loudness, away from both."""
        share = (self._target - low[1]) / (high[1] - low[1]) if np.isfinite(low[1]) else 0.5
        return low[0] + (high[0] - low[0]) * min(max(share, 0.1), 0.9)

    def _try(self, gain: float, release: float) -> float:
        factor = amplitude(gain)
        limiter = limiter_gains(self._peaks * np.float32(factor), self._ceiling, self._sample_rate, release)
        lufs = self._energy.lufs(limiter * factor)
        reached = -np.inf if lufs is None else lufs
        if abs(self._target - reached) < abs(self._target - self.reached):
            self.level, self.reached = Level(factor, limiter), reached
        return reached


def loudness_warnings(target: float | None, reached: float | None) -> tuple[str, ...]:
    """A sentence for the client if the finished audio, in LUFS, has not the loudness asked for."""
    if target is None or reached is None or abs(target - reached) <= TOLERANCE:
        return ()
    return (
        f"A loudness of {target:g} LUFS cannot be reached: this music has {reached:.1f} LUFS at a true peak of "
        f"{HIGHEST_PEAK:g} dBTP. Ask for less loudness.",
    )
