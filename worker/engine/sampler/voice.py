"""A sound that is being heard."""

import functools

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.rendering import Rendering

Floats = NDArray[np.float32]

# A release ends where it is 60 dB down.
FALL = float(np.log(1000.0))


class Voice:
    """One note or hit, from its begin to its end.

    Attributes:
        begin: its first sample.
        release: seconds until it is gone once it is released.
        is_over: whether nothing more will come of it.
    """

    def __init__(self, rendering: Rendering, begin: int, gain: float, pan: float, release: float) -> None:
        """Make one.

        Args:
            rendering: the sound.
            begin: the sample it begins at.
            gain: a factor.
            pan: -1 is left, 1 is right; the power is the same everywhere.
            release: see above.
        """
        angle = (pan + 1) * np.pi / 4
        self._rendering = rendering
        self._gains = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * np.float32(gain)
        self._end: int | None = None
        self.begin = begin
        self.release = release
        self.is_over = False

    @property
    def is_released(self) -> bool:
        return self._end is not None

    def stop(self, at: int, release: float | None = None) -> None:
        """Release it at a sample; what was released before goes on falling as it does."""
        if self._end is None:
            self._end = max(at, self.begin)
            self.release = self.release if release is None else release

    def add_to(self, out: Floats, start: int) -> None:
        """Mix what is heard of it into a stretch of time.

        Args:
            out: float32 of shape [2, samples].
            start: the sample that the stretch begins with; stretches follow each other.
        """
        skipped = max(0, self.begin - start)
        count = out.shape[1] - skipped
        if count <= 0:
            return
        place = start + skipped - self.begin
        sound = self._rendering.read(place, count)
        self.is_over = len(sound) < count
        if self._end is not None:
            sound = self._released(sound, start + skipped)
        out[:, skipped : skipped + len(sound)] += self._gains * sound

    def _released(self, sound: Floats, start: int) -> Floats:
        assert self._end is not None
        curve = fall(max(1, round(self.release * SAMPLE_RATE)))
        if start >= self._end + len(curve):
            self.is_over = True
            return sound[:0]
        held = max(0, self._end - start)
        falling = curve[max(0, start - self._end) :][: max(0, len(sound) - held)]
        self.is_over |= held + len(falling) < len(sound)
        return np.concatenate((sound[:held], sound[held : held + len(falling)] * falling))


@functools.lru_cache(maxsize=64)
def fall(count: int) -> Floats:
    """An exponential fall by 60 dB, bent so that it ends at nothing; float32 of shape [count]."""
    share = np.arange(count) / count
    return (np.exp(-FALL * share) * (1 - share)).astype(np.float32)
