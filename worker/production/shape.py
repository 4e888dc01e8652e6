"""Gives the tracks of a take their sample rate, their length and their end.

Every step is linear and the same for the mix and the stems, so the stems still sum to the mix.
"""

import numpy as np

from shared.messages import Recipe
from shared.music import DEFAULT_METER, grid_samples
from worker.engine.interface import Samples
from worker.production.fade import DECLICK, FADE, fade_gains, fades_out
from worker.production.looping import wrap_tail
from worker.production.resample import resample
from worker.production.take import Take


def shape(samples: Samples, take: Take, recipe: Recipe) -> Samples:
    """Shape the mix or one stem.

    Args:
        samples: float32 of shape [frames, channels], in the take's sample rate.
        take: what the engine made.
        recipe: of the job.

    Returns:
        float32 of shape [frames, channels], in the file's sample rate; a new array.
    """
    rate, is_loop = file_rate(take, recipe), recipe.loop and take.is_whole
    frames = file_frames(take, recipe)
    found = resample(samples, take.sample_rate, rate, circular=is_loop and not take.has_score)
    if is_loop:
        return wrap_tail(found, frames)
    found = wrap_tail(found[:frames], frames)
    if take.has_score:
        seconds = FADE if take.is_whole and fades_out(recipe, has_score=True) else DECLICK
        _fade_end(found, rate, seconds)
    return found


def file_rate(take: Take, recipe: Recipe) -> int:
    """The sample rate of the files, in hertz."""
    return recipe.sample_rate or take.sample_rate


def file_frames(take: Take, recipe: Recipe) -> int:
    """Frames in the files: what the recipe asks for, or what was made before the client stopped the job."""
    rate = file_rate(take, recipe)
    if recipe.bars is not None and recipe.bpm is not None:
        wanted = grid_samples(recipe.bars, recipe.bpm, recipe.meter or DEFAULT_METER, rate)
    else:
        wanted = round(recipe.duration * rate)
    return wanted if take.is_whole else min(wanted, round(len(take.audio) * rate / take.sample_rate))


def _fade_end(samples: Samples, rate: int, seconds: float) -> None:
    first = max(0, len(samples) - round(seconds * rate))
    samples[first:] *= fade_gains(len(samples), rate, first, len(samples) - first, seconds)[:, np.newaxis]
