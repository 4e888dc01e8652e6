"""Changes the sample rate of a take with libsoxr."""

from math import gcd

import numpy as np
import soxr

from worker.engine.interface import Samples

# The quality of 24-bit converters: aliases are 140 dB below the signal.
QUALITY = "VHQ"
# Frames around a loop's ends that the filter sees, at least; its impulse response is shorter.
CONTEXT = 2048


def resample(samples: Samples, from_rate: int, to_rate: int, *, circular: bool = False) -> Samples:
    """Resample audio without a delay. It is linear: the sum of resampled stems is the resampled mix.

    Args:
        samples: float32 of shape [frames, channels].
        from_rate: in hertz.
        to_rate: in hertz.
        circular: the audio is a loop, so the filter continues at its other end instead of in silence.

    Returns:
        float32 of shape [frames * to_rate / from_rate, channels], rounded; possibly `samples` itself.
    """
    if from_rate == to_rate or not len(samples):
        return samples
    if not circular:
        return _resample(samples, from_rate, to_rate)
    # A context of whole periods of both rates, so that its length in the result is a whole number.
    period = from_rate // gcd(from_rate, to_rate)
    context = -(-CONTEXT // period) * period
    ends = np.arange(-context, len(samples) + context) % len(samples)
    made = _resample(samples[ends], from_rate, to_rate)
    first = context * to_rate // from_rate
    return made[first : first + round(len(samples) * to_rate / from_rate)]


def _resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    return np.asarray(soxr.resample(np.ascontiguousarray(samples), from_rate, to_rate, QUALITY), np.float32)
