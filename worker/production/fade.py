"""The end of a take: a fade-out, or a ramp that is only long enough to avoid a click."""

import numpy as np

from shared.messages import Recipe
from worker.engine.interface import Samples

# Seconds.
FADE = 0.4
DECLICK = 0.005
# Of audio that was cut out of sounding music.
CUT = 0.003


def fades_out(recipe: Recipe, *, has_score: bool) -> bool:
    """Whether the end fades out: a score that is cut after a duration ends within a bar."""
    return has_score and recipe.bars is None


def fade_gains(total: int, sample_rate: int, first: int, count: int, seconds: float = FADE) -> Samples:
    """A half-cosine fade: the gains of some frames.

    Args:
        total: frames of the take, the last of which fade out.
        sample_rate: in hertz.
        first: the first of the frames.
        count: how many frames.
        seconds: length of the fade.

    Returns:
        float32 of shape [count], from 1 before the fade to almost 0 in the take's last frame.
    """
    to_end = total - first - np.arange(count)
    shares = np.clip(to_end / max(min(round(seconds * sample_rate), total), 1), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * shares), np.float32)


def declick_end(samples: Samples, sample_rate: int) -> Samples:
    """Audio that was cut off, float32 of shape [frames, channels], with a ramp at its end; a new array."""
    ramp = np.linspace(0, 1, round(CUT * sample_rate), dtype=np.float32)[::-1, np.newaxis]
    faded = samples.copy()
    faded[len(faded) - len(ramp) :] *= ramp
    return faded
