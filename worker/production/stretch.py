"""Changes the tempo of audio and leaves its pitch, with Signalsmith Stretch."""

import numpy as np
from python_stretch.Signalsmith import Stretch

from worker.engine.interface import Samples

# Seconds around the wanted audio that are stretched as well, so that the library's first and last block are not heard.
SURROUNDINGS = 0.25
# A change of the tempo by less is left out: it is 3 ms in half a minute.
SMALLEST_CHANGE = 1e-4
# Of the library's random phases.
SEED = 1


def stretch(samples: Samples, sample_rate: int, start: int, frames: int, speed: float) -> Samples:
    """Cut `frames` frames, from frame `start` on, out of audio that plays at another speed.

    `process` of python-stretch 0.3 compensates the library's latency when it gets all audio in one call; the attacks
    are within a millisecond of where they should be. The same audio gives the same samples.

    Args:
        samples: float32 of shape [frames, channels]; silent before its start and after its end.
        sample_rate: in hertz.
        start: the first frame of the result, in `samples`; may be negative.
        frames: length of the result.
        speed: how much faster the result plays, such as 1.03.

    Returns:
        float32 of shape [frames, channels].
    """
    if abs(speed - 1) < SMALLEST_CHANGE:
        return _cut(samples, start, start + frames)
    around = round(SURROUNDINGS * sample_rate)
    part = _cut(samples, start - around, start + round(frames * speed) + around)
    stretcher = Stretch(SEED)
    stretcher.preset(samples.shape[1], sample_rate)
    stretcher.setTimeFactor(speed)
    made = np.asarray(stretcher.process(np.ascontiguousarray(part.T)), np.float32).T
    return _cut(made, round(around / speed), round(around / speed) + frames)


def _cut(samples: Samples, start: int, end: int) -> Samples:
    inside = samples[max(start, 0) : max(end, 0)]
    before = min(max(-start, 0), end - start)
    return np.pad(inside, ((before, end - start - before - len(inside)), (0, 0)))
