"""A sound at one pitch, ready to be mixed: shifted, and with a loop that nobody hears."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Over so many samples the loop's end becomes what is before its beginning.
OVERLAP = 1600


@dataclass(frozen=True, slots=True)
class Rendering:
    """A mono sound.

    Attributes:
        audio: float32 of shape [samples].
        loop: the sample after the last is this one; None if the sound ends there.
    """

    audio: Floats
    loop: int | None

    def read(self, begin: int, count: int) -> Floats:
        """So many samples from one on; fewer where the sound ends.

        Args:
            begin: samples since the sound began, however often it went round.
            count: how many are wanted.
        """
        if self.loop is None or begin + count <= len(self.audio):
            return self.audio[begin : begin + count]
        period = len(self.audio) - self.loop
        places = np.arange(begin, begin + count)
        return self.audio[np.where(places < len(self.audio), places, self.loop + (places - self.loop) % period)]


def shift(audio: Floats, semitones: float) -> Floats:
    """Play faster or slower, interpolated by Catmull and Rom's cubic."""
    if semitones == 0:
        return audio
    places = np.arange(0, len(audio) - 1, 2 ** (semitones / 12))
    index = places.astype(np.int64)
    part = (places - index).astype(np.float32)
    padded = np.pad(audio, (1, 2))
    before, here, after, next_one = (padded[index + offset] for offset in range(4))
    slope = after - before
    square = 2 * before - 5 * here + 4 * after - next_one
    cube = 3 * (here - after) + next_one - before
    return np.asarray(here + 0.5 * part * (slope + part * (square + part * cube)), np.float32)


def close_loop(audio: Floats, first: int, end: int) -> Rendering:
    """Fade the loop's end into what comes before its beginning, as loud as both are.

    Args:
        audio: float32 of shape [samples].
        first: the loop's first sample.
        end: the one after its last.
    """
    end = min(end, len(audio))
    overlap = min(OVERLAP, first, end - first)
    looped = audio[:end].copy()
    tail, head = looped[end - overlap :], audio[first - overlap : first]
    likeness = float(np.dot(tail, head) / np.sqrt(np.dot(tail, tail) * np.dot(head, head) + 1e-12))
    part = np.linspace(0, 1, overlap, endpoint=False, dtype=np.float32)
    # The power of a sum of two sounds that are alike by so much.
    power = part**2 + (1 - part) ** 2 + 2 * part * (1 - part) * max(likeness, 0.0)
    looped[end - overlap :] = (tail * (1 - part) + head * part) / np.sqrt(power)
    return Rendering(looped, first)
