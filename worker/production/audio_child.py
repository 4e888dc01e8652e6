"""Children of takes without a score: the model goes on from the old audio, which stays wherever nothing is composed.

Old and new audio overlap before the beat at which one follows the other, so that its attack stays as it is.
"""

import io
from math import floor
from typing import NamedTuple

import numpy as np
import soundfile
from msgspec.structs import replace

from shared.audio_conditions import USUAL_CONTEXT, AudioConditions, AudioSource, Excerpt
from shared.edits import Composed, Edit
from shared.messages import Recipe
from worker.engine.interface import Samples
from worker.production.engine_recipe import engine_prompt
from worker.production.fade import declick_end
from worker.production.limiter import limiter_gains
from worker.production.loudness import amplitude, block_peaks, decibels, true_peak
from worker.production.mastering import HIGHEST_PEAK, RELEASES, Level
from worker.production.resample import resample
from worker.production.seam import crossfade, seam_frames
from worker.production.shape import file_frames
from worker.production.take import Take

# Frames a second of EnCodec in all of Meta's models. What the model hears is whole frames: it would hear silence in the
# rest of one.
CODEC_FRAMES = 50
# Seconds of audio beyond what is needed: its place is rounded to frames and to samples.
SPARE = 2 / CODEC_FRAMES
# Decibels between the ceiling and the peaks of the new audio: dither and the encoding move them.
MARGIN = 0.2


class OldAudio(NamedTuple):
    """The parent's audio: float32 of shape [frames, channels], and its sample rate in hertz."""

    samples: Samples
    sample_rate: int

    @property
    def frames(self) -> int:
        return len(self.samples)


def read_old_audio(file: bytes, channels: int) -> OldAudio:
    """Decode the parent's file.

    Raises:
        ValueError: if it cannot be decoded, or the model makes another number of channels.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(file), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"The audio of the take cannot be decoded: {error.error_string}") from error
    if samples.shape[1] != channels:
        raise ValueError(f"The take has {samples.shape[1]} channels, and the model of this worker makes {channels}.")
    return OldAudio(np.asarray(samples, np.float32), rate)


def engine_child(recipe: Recipe) -> Recipe:
    """What to ask the model: to go on from the last seconds before the new audio, until that ends."""
    edit = _edit(recipe)
    end = recipe.duration if edit.to_seconds is None else edit.to_seconds
    source = AudioSource(job_id=edit.parent)
    return replace(
        recipe,
        prompt=engine_prompt(replace(recipe, prompt=edit.prompt or recipe.prompt)),
        duration=_context(edit) / CODEC_FRAMES + end - _from_seconds(edit) + SPARE,
        audio=AudioConditions(continue_from=source),
        edit=None,
    )


def context_of(old: OldAudio, recipe: Recipe) -> Excerpt:
    """What the model goes on from.

    Raises:
        ValueError: if the old audio has no such part.
    """
    joint = _joint(old, recipe)
    first = joint - _context_frames(old, recipe)
    if first < 0 or joint - first < seam_frames(old.sample_rate):
        raise ValueError("Too little of the old audio comes before the new one. Ask for a later begin.")
    part = old.samples[first:joint]
    return Excerpt(sample_rate=old.sample_rate, channels=part.shape[1], samples=part.astype("<f4").tobytes())


def join(take: Take, recipe: Recipe, old: OldAudio) -> Take:
    """Put the new audio in its place in the old one.

    Args:
        take: what the model made of `engine_child`; less if the client stopped the job.
        recipe: of the child.
        old: the parent's audio.

    Returns:
        The take in the sample rate of the parent's file.
    """
    rate, joint, overlap = old.sample_rate, _joint(old, recipe), seam_frames(old.sample_rate)
    new = _limited(resample(take.audio, take.sample_rate, rate), rate)[_context_frames(old, recipe) - overlap :]
    joined = take._replace(sample_rate=rate)
    if len(new) <= overlap:
        return joined._replace(audio=old.samples[:joint], kept=(range(joint),))
    into = _blend(old.samples[joint - overlap : joint], new[:overlap], rate)
    part, rest = _ended(new[overlap:], joined, recipe, old, joint)
    audio = np.concatenate([old.samples[: joint - overlap], into, part, rest])
    end = joint + len(part)
    composed = Composed(
        candidates=1,
        chosen=1,
        from_seconds=round(joint / rate, 6),
        to_seconds=round(end / rate, 6),
        crossfade_seconds=round(overlap / rate, 6),
    )
    kept = (range(joint - overlap), range(end, len(audio)))
    return joined._replace(audio=audio, kept=kept, music=replace(take.music, composed=composed))


def _ended(new: Samples, take: Take, recipe: Recipe, old: OldAudio, joint: int) -> tuple[Samples, Samples]:
    """The new audio, which leads into what follows it: the rest of the old audio, a loop's start, or silence."""
    rate, to = old.sample_rate, _edit(recipe).to_seconds
    overlap = seam_frames(rate)
    end = file_frames(take._replace(is_whole=True), recipe) if to is None else round(to * rate)
    part, nothing = new[: max(end - joint, overlap)], old.samples[:0]
    if take.is_whole and to is not None and end <= old.frames:
        return _leading(part, old.samples[end - overlap : end], rate), old.samples[end:]
    if take.is_whole and recipe.loop:
        return _leading(part, old.samples[-overlap:], rate), nothing
    return declick_end(part, rate), nothing


def _leading(part: Samples, old: Samples, sample_rate: int) -> Samples:
    overlap = len(old)
    return np.concatenate([part[:-overlap], _blend(part[-overlap:], old, sample_rate)])


def _blend(first: Samples, second: Samples, sample_rate: int) -> Samples:
    """Crossfade; with equal gains, which raise no peak, if equal power would exceed the ceiling."""
    mixed = crossfade(first, second)
    if decibels(true_peak(mixed, sample_rate)) <= HIGHEST_PEAK - MARGIN:
        return mixed
    share = (np.arange(1, len(first) + 1, dtype=np.float32) / (len(first) + 1))[:, np.newaxis]
    return np.asarray(first * (1 - share) + second * share, np.float32)


def _limited(samples: Samples, sample_rate: int) -> Samples:
    """The new audio without peaks that no file may have; mastering would change the level of the old audio as well."""
    gains = limiter_gains(block_peaks(samples, sample_rate), amplitude(HIGHEST_PEAK - MARGIN), sample_rate, RELEASES[0])
    limited = samples.copy()
    Level(1.0, gains).apply(limited)
    return limited


def _edit(recipe: Recipe) -> Edit:
    assert recipe.edit is not None, "only children are joined to a parent"
    return recipe.edit


def _from_seconds(edit: Edit) -> float:
    assert edit.from_seconds is not None, "an edit of audio has it"
    return edit.from_seconds


def _joint(old: OldAudio, recipe: Recipe) -> int:
    """The first sample of the new audio, in the child and in its parent."""
    return min(round(_from_seconds(_edit(recipe)) * old.sample_rate), old.frames)


def _context(edit: Edit) -> int:
    """How much old audio the model hears, in frames of its codec."""
    return floor(min(_from_seconds(edit), USUAL_CONTEXT) * CODEC_FRAMES)


def _context_frames(old: OldAudio, recipe: Recipe) -> int:
    """How much old audio the model hears, in the parent's samples."""
    return _context(_edit(recipe)) * old.sample_rate // CODEC_FRAMES
