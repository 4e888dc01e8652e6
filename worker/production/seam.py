"""Crossfades, and loops of audio that was cut out of longer audio: their end leads to their start without a step."""

import numpy as np

from worker.engine.interface import Samples

# Seconds of a crossfade, all before the beat, such as a loop's first downbeat, so that its attack stays as it is.
SEAM = 0.03


def seam_frames(sample_rate: int) -> int:
    """How many frames before the loop's start `close_loop` needs."""
    return round(SEAM * sample_rate)


def close_loop(samples: Samples, sample_rate: int) -> Samples:
    """Crossfade the end of a loop to what was before its start, so that it continues at the start.

    Args:
        samples: float32 of shape [frames, channels]: `seam_frames`, then the loop.
        sample_rate: in hertz.

    Returns:
        The loop, a new array.
    """
    frames = seam_frames(sample_rate)
    lead_in, loop = samples[:frames], samples[frames:].copy()
    loop[-frames:] = crossfade(loop[-frames:], lead_in)
    return loop


def crossfade(first: Samples, second: Samples) -> Samples:
    """Fade from one audio to another of the same length.

    The gains keep the power of the sum equal for audio of any correlation (Fink, Holters and Zölzer, "Signal-matched
    power-complementary cross-fading", DAFx 2016).
    """
    frames = len(first)
    turn = (np.arange(1, frames + 1, dtype=np.float32) / (frames + 1) * np.float32(np.pi / 2))[:, np.newaxis]
    out, into = np.cos(turn), np.sin(turn)
    even = np.sqrt(1 + 2 * max(_correlation(first, second), 0.0) * out * into)
    return np.asarray((out * first + into * second) / even, np.float32)


def _correlation(first: Samples, second: Samples) -> float:
    return float(np.vdot(first, second) / (np.linalg.norm(first) * np.linalg.norm(second) + 1e-9))
