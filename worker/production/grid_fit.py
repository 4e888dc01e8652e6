"""Puts the audio of models that write no score on the grid: measures it, cuts it at a downbeat and stretches it."""

from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from shared.errors import MusicgenError
from shared.messages import Recipe
from shared.music import DEFAULT_METER, Measured, bar_seconds, grid_samples, parse_key
from worker.engine.interface import Samples
from worker.production.beats import Beats, find_beats, locate_attack
from worker.production.downbeats import Downbeat, find_downbeat
from worker.production.engine_recipe import STRETCH_LIMIT
from worker.production.fade import declick_end
from worker.production.keys import FRAME_RATE, FoundKey, find_key, pitch_classes
from worker.production.onsets import find_onsets
from worker.production.seam import close_loop, seam_frames
from worker.production.spectra import Floats
from worker.production.stretch import stretch
from worker.production.take import Take

# From these confidences on a measurement counts.
SURE_TEMPO, SURE_KEY, SURE_DOWNBEAT = 0.8, 0.6, 0.5
# The share by which the tempo of a child of audio may differ from its parent's: confidences are of half a percent.
KEPT_TEMPO = 0.005
# Shorter audio is not measured, in seconds.
SHORTEST = 1.0
# Seconds around two places of a take that are compared to find the best seam of a loop.
COMPARED = 1.0


class NotOnGridError(MusicgenError):
    """The take does not have the tempo of its recipe. `take` is the take as it is then delivered, with a warning."""

    def __init__(self, reason: str, take: Take) -> None:
        super().__init__(reason)
        self.take = take

    @property
    def confidence(self) -> float:
        """Of several takes, the one with the highest is the best."""
        return self.take.measured.bpm_confidence or 0.0


class _Analysis(NamedTuple):
    """What was measured of a take; `beats` begins at attacks."""

    beats: Beats
    downbeat: Downbeat
    key: FoundKey
    classes: Floats


def fit(take: Take, recipe: Recipe) -> Take:
    """Measure a take; if its recipe has a tempo, cut it at a downbeat and stretch it to that tempo.

    Takes with a score are on the grid by construction and are returned as they are. Children of audio are measured.

    Args:
        take: if its recipe has a tempo, `engine_seconds` long.
        recipe: as the client sent it.

    Raises:
        NotOnGridError: if the tempo cannot be met, or not be measured surely; not for a take that a client stopped.
    """
    if take.has_score or not np.isfinite(take.audio).all():
        return take
    if len(take.audio) < SHORTEST * take.sample_rate:
        return _cut_without_grid(take, recipe)
    found = _analyse(take, recipe)
    if take.kept:
        return _as_joined(take, recipe, found)
    if recipe.bpm is None or not take.is_whole:
        return _described(_cut_without_grid(take, recipe), recipe, found)
    if (reason := _misfit(found.beats, recipe.bpm)) is not None:
        warning = f"The music is not on the grid: {reason}. It is as the model made it."
        rough = _described(_cut_without_grid(take, recipe), recipe, found)
        raise NotOnGridError(reason, rough._replace(warnings=(*rough.warnings, warning)))
    return _on_grid(take, recipe, found)


def _as_joined(take: Take, recipe: Recipe, found: _Analysis) -> Take:
    """A child of audio: its old part is on the grid if the recipe has a tempo, and the new one if it keeps that."""
    if recipe.bpm is None or not take.is_whole:
        return _described(take, recipe, found)
    reason = _misfit(found.beats, recipe.bpm, KEPT_TEMPO)
    described = _described(take, recipe, found, is_on_grid=reason is None)
    if reason is None:
        return described
    return described._replace(warnings=(*described.warnings, f"The new part may leave the grid: {reason}."))


def _analyse(take: Take, recipe: Recipe) -> _Analysis:
    onsets = find_onsets(take.audio, take.sample_rate)
    classes = pitch_classes(take.audio, take.sample_rate)
    beats = find_beats(onsets, recipe.bpm)
    downbeat = find_downbeat(onsets, classes, beats, recipe.meter or DEFAULT_METER)
    late = locate_attack(take.audio, take.sample_rate, np.arange(downbeat.time, onsets.seconds, beats.period))
    return _Analysis(beats, downbeat._replace(time=downbeat.time + late), find_key(classes), classes)


def _misfit(beats: Beats, bpm: float, limit: float = STRETCH_LIMIT) -> str | None:
    """Why the beats cannot be brought to a tempo that differs by at most `limit`; None if they can."""
    if beats.confidence < SURE_TEMPO:
        return f"no steady tempo of {bpm:g} BPM was found"
    if abs(bpm / beats.bpm - 1) > limit:
        return f"the tempo was {beats.bpm:.1f} BPM, not {bpm:g}"
    return None


def _on_grid(take: Take, recipe: Recipe, found: _Analysis) -> Take:
    assert recipe.bpm is not None
    meter = recipe.meter or DEFAULT_METER
    speed = recipe.bpm / found.beats.bpm
    frames = _frames(take, recipe)
    bar = float(bar_seconds(found.beats.bpm, meter))
    start = _best_start(take, recipe, found, bar, frames / take.sample_rate * speed)
    lead_in = seam_frames(take.sample_rate) if recipe.loop else 0
    first = round(start * take.sample_rate - lead_in * speed)
    audio = stretch(take.audio, take.sample_rate, first, lead_in + frames, speed)
    audio = close_loop(audio, take.sample_rate) if recipe.loop else _declicked(audio, take.sample_rate)
    fitted = _described(take._replace(audio=audio), recipe, found, is_on_grid=True)
    after = find_beats(find_onsets(audio, take.sample_rate), recipe.bpm)
    measured = replace(fitted.measured, bpm=round(after.bpm, 2), bpm_confidence=_confidence(found.beats, after))
    return fitted._replace(measured=measured)


def _confidence(before: Beats, after: Beats) -> float:
    """Of a fitted take: of the longer audio before the cut, or of the result, which is shorter but was checked."""
    return round(max(before.confidence, after.confidence), 3)


def _best_start(take: Take, recipe: Recipe, found: _Analysis, bar: float, length: float) -> float:
    """The downbeat to begin with, in seconds: the first one, or for a loop the one that resembles its end most."""
    seconds = len(take.audio) / take.sample_rate
    first = found.downbeat.time % bar
    if recipe.loop and first < 2 * seam_frames(take.sample_rate) / take.sample_rate:
        first += bar
    starts = np.arange(first, max(seconds - length, first) + 1e-6, bar)
    if not recipe.loop:
        return float(starts[0])
    return float(max(starts, key=lambda start: _resemblance(found.classes, start, start + length)))


def _resemblance(classes: Floats, start: float, end: float) -> float:
    """How alike the harmonies around two times are, from -1 to 1."""
    reach, (first, second) = round(COMPARED * FRAME_RATE), (round(time * FRAME_RATE) for time in (start, end))
    before, after = min(reach, first), min(reach, len(classes) - second)
    one, other = classes[first - before : first + after].ravel(), classes[second - before : second + after].ravel()
    if len(one) == 0 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return -1.0
    return float(np.corrcoef(one, other)[0, 1])


def _cut_without_grid(take: Take, recipe: Recipe) -> Take:
    """The take at the recipe's length, from its first frame on; a loop is closed all the same."""
    frames, lead_in = _frames(take, recipe), seam_frames(take.sample_rate)
    if recipe.loop and take.is_whole and len(take.audio) >= frames + lead_in:
        return take._replace(audio=close_loop(take.audio[: frames + lead_in], take.sample_rate))
    return take._replace(audio=take.audio[:frames])


def _frames(take: Take, recipe: Recipe) -> int:
    """Frames that the recipe asks for, in the take's sample rate."""
    if recipe.bars is not None and recipe.bpm is not None:
        return grid_samples(recipe.bars, recipe.bpm, recipe.meter or DEFAULT_METER, take.sample_rate)
    return round(recipe.duration * take.sample_rate)


def _declicked(audio: Samples, sample_rate: int) -> Samples:
    return declick_end(declick_end(audio[::-1], sample_rate)[::-1], sample_rate)


def _described(take: Take, recipe: Recipe, found: _Analysis, *, is_on_grid: bool = False) -> Take:
    """The take with what was measured, what of that is sure, and warnings about the rest."""
    beats, downbeat, key = found.beats, found.downbeat, found.key
    has_bars = recipe.meter is not None and beats.confidence >= SURE_TEMPO and downbeat.confidence >= SURE_DOWNBEAT
    measured = Measured(
        bpm=round(beats.bpm, 2) if beats.confidence >= SURE_TEMPO else None,
        bpm_confidence=round(beats.confidence, 3),
        key=key.key.name if key.confidence >= SURE_KEY else None,
        key_confidence=round(key.confidence, 3),
        downbeats=_downbeats(take, recipe, found, is_on_grid=is_on_grid) if has_bars else (),
    )
    heard_as_asked = recipe.key is not None and key.confidence >= SURE_KEY and key.key == parse_key(recipe.key)
    music = replace(
        take.music,
        bpm=recipe.bpm if is_on_grid else None,
        key=recipe.key if heard_as_asked else None,
        meter=recipe.meter if is_on_grid else None,
        bars=recipe.bars if is_on_grid else None,
    )
    warnings = [*take.warnings]
    if recipe.key is not None and key.confidence >= SURE_KEY and not heard_as_asked:
        warnings.append(f"The key seems to be {key.key.name}, not {recipe.key}.")
    if is_on_grid and downbeat.confidence < SURE_DOWNBEAT:
        warnings.append("It is not sure which beat begins a bar: the music may begin on another one.")
    return take._replace(music=music, measured=measured, warnings=tuple(warnings))


def _downbeats(take: Take, recipe: Recipe, found: _Analysis, *, is_on_grid: bool) -> tuple[float, ...]:
    """The downbeats of the take, in seconds."""
    seconds = len(take.audio) / take.sample_rate
    bpm, first = (recipe.bpm or found.beats.bpm, 0.0) if is_on_grid else (found.beats.bpm, found.downbeat.time)
    bar = float(bar_seconds(bpm, recipe.meter or DEFAULT_METER))
    return tuple(round(float(time), 3) for time in np.arange(first % bar, seconds - 0.001, bar))
