"""Loops: the end of the file continues at its start."""

import numpy as np

from worker.engine.interface import Samples


def wrap_tail(samples: Samples, frames: int) -> Samples:
    """Add what sounds after the loop's end to its start, as often as the tail is long.

    It is linear: the sum of wrapped stems is the wrapped mix.

    Args:
        samples: float32 of shape [at least frames, channels]; shorter audio is followed by silence.
        frames: length of the loop.

    Returns:
        float32 of shape [frames, channels], a new array.
    """
    loop = np.zeros((frames, samples.shape[1]), np.float32)
    for start in range(0, len(samples), max(frames, 1)):
        part = samples[start : start + frames]
        loop[: len(part)] += part
    return loop
