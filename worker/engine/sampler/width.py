"""Widens a stream with early reflections that cancel in mono, and fits the sides of the mix to the ensemble."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.instruments import Stream

Floats = NDArray[np.float32]

# Delays in samples and gains of the early reflections that widen a stream, 7 to 24 ms with the filter's delay.
REFLECTIONS = ((185, 0.5), (331, -0.5), (499, 0.5), (713, -0.5))
LONGEST_REFLECTION = max(delay for delay, _ in REFLECTIONS)
# The mean of this many samples is subtracted from what is reflected: low frequencies stay in the middle.
SMOOTHED = 96
# The streams that are wide by themselves.
WIDE = (Stream.CHORDS, Stream.PAD, Stream.ARPEGGIO)
# Gains of the sides in decibels, by how many wide streams there are. The middle holds drums and bass: without them the
# sides are too loud, and beside them a single wide stream is lost. Percussion fills it no more than a bass does.
BESIDE_DRUMS, BESIDE_BASS, ALONE = (1.0, 1.0, -0.3, -0.9), (0.0, -1.5, -2.5, -2.5), (0.0, -4.2, -4.2, -4.2)


def side_gain(streams: Collection[Stream]) -> float:
    """The gain of the difference between the channels, as a factor, where these streams play."""
    wide = len({*WIDE} & {*streams})
    has_middle = bool({Stream.BASS, Stream.PERCUSSION} & {*streams})
    decibels = (BESIDE_DRUMS if Stream.DRUMS in streams else BESIDE_BASS if has_middle else ALONE)[wide]
    return float(10 ** (decibels / 20))


def with_sides(sound: Floats, gain: float) -> Floats:
    """Multiply the difference between the channels of [2, samples]; their sum, which mono has, stays as it is."""
    middle = sound.mean(axis=0)
    return np.asarray(middle + np.float32(gain) * (sound - middle))


class Widener:
    """Widens one stream."""

    def __init__(self, width: float) -> None:
        """Begin a piece; `width` is the level of the reflections."""
        self._width = np.float32(width)
        self._middle = np.zeros(SMOOTHED - 1, np.float32)
        self._reflected = np.zeros(LONGEST_REFLECTION, np.float32)

    def push(self, sound: Floats) -> Floats:
        """Add early reflections of the middle to the left, and subtract them from the right.

        So they cancel in mono, and a mono listener hears the stream as it was (Schroeder, "An artificial stereophonic
        effect obtained from a single audio signal", 1958).

        Args:
            sound: float32 of shape [2, samples], which follow those of the last call.
        """
        if not self._width or not sound.shape[1]:
            return sound
        count = sound.shape[1]
        heard = np.concatenate((self._reflected, self._without_lows(sound.mean(axis=0))))
        self._reflected = heard[count:]
        begins = [(LONGEST_REFLECTION - delay, np.float32(gain)) for delay, gain in REFLECTIONS]
        side = self._width * sum(gain * heard[at : at + count] for at, gain in begins)
        return np.stack((sound[0] + side, sound[1] - side))

    def _without_lows(self, middle: Floats) -> Floats:
        """Subtract the moving mean; delays by half its length."""
        heard = np.concatenate((self._middle, middle))
        self._middle = heard[len(middle) :]
        sums = np.cumsum(np.pad(heard, (1, 0)), dtype=np.float64)
        means = (sums[SMOOTHED:] - sums[:-SMOOTHED]) / SMOOTHED
        return np.asarray(heard[SMOOTHED // 2 :][: len(middle)] - means, np.float32)
