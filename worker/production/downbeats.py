"""Finds which beats begin bars."""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.music import bar_quarters
from worker.production import keys, onsets
from worker.production.beats import Beats
from worker.production.onsets import Onsets
from worker.production.spectra import Floats

Doubles = NDArray[np.float64]

# Positions of a bar per quarter note.
PARTS = 4
# Seconds before and after a position in which an onset belongs to it.
EARLY, LATE = 0.024, 0.04
# Seconds around a position that do not count as the harmony before or after it.
CHANGING = 0.03
# Beats before and after a position whose harmonies are compared.
COMPARED = (1, 2)
# Below this share of the music's mean, levels are silence.
SILENCE = 0.02
# Differences between the halves of a bar that are smaller than this part of a deviation stay small.
SMALL = 0.3
# Fitted by training/downbeats.py: for each meter the weight of each kind of accent at each position of the bar.
WEIGHTS = Path(__file__).with_name("downbeats.json")
# For meters without fitted weights: of the accents at the downbeat itself.
PLAIN_WEIGHTS = (1.0, 0.0, 0.3, 1.0, 1.0)


class Downbeat(NamedTuple):
    """The first downbeat of some music, in seconds, and the confidence that it is one, 0 to 1."""

    time: float
    confidence: float


def find_downbeat(found: Onsets, classes: Floats, beats: Beats, meter: str) -> Downbeat:
    """Find the first position of the beats' grid at which bars begin.

    Args:
        found: the onsets of the music.
        classes: its pitch classes.
        beats: a grid of its quarter notes; off-beats do as well.
        meter: such as 4/4.
    """
    pattern = accents(found, classes, beats, meter)
    weights = _weights(meter, pattern)
    evidence = np.array([float((np.roll(pattern, -start, axis=0) * weights).sum()) for start in range(len(pattern))])
    chances = np.exp(evidence - evidence.max())
    best = int(np.argmax(chances))
    return Downbeat(beats.first + best * beats.period / PARTS, float(chances[best] / chances.sum()))


def accents(found: Onsets, classes: Floats, beats: Beats, meter: str) -> Doubles:
    """The mean accents at each position of a bar, whose first one need not be a downbeat.

    Returns:
        For each sixteenth note of the bar, each with a mean of 0 and a deviation of 1: in each of four ranges of
        frequency the onset; the changes of harmony; in each range the rise of the level within the onset, which tells
        loud from soft where logarithms do not; and by how much the beat after is louder than the beat before. In bars
        of an even number of quarters as many columns again have what differs between the halves of the bar, enlarged.
        [positions, 14 or 28].
    """
    positions = int(bar_quarters(meter) * PARTS)
    step = beats.period / PARTS
    count = max(int((found.seconds - beats.first) / step), positions)
    times = beats.first + np.arange(count, dtype=np.float64) * step
    rises = np.maximum(np.diff(found.levels, axis=0, prepend=found.levels[:1]), 0)
    every = np.column_stack(
        [
            _strongest_at(found.ranges, times),
            *[_changes_at(classes, times, each * beats.period) for each in COMPARED],
            _strongest_at(rises, times),
            _steps_at(found.levels, times, beats.period),
        ]
    )
    whole = every[: len(every) // positions * positions]
    folded = whole.reshape(-1, positions, every.shape[1]).mean(axis=0)
    centred = folded - folded.mean(axis=0)
    scaled: Doubles = centred / (centred.std(axis=0) + 1e-3 * np.abs(folded).max(axis=0) + 1e-6)
    return np.column_stack([scaled, _halves(scaled)]) if positions % (2 * PARTS) == 0 else scaled


def _halves(pattern: Doubles) -> Doubles:
    """Half the difference between each position and the one half a bar away, enlarged where all are small."""
    odd = (pattern - np.roll(pattern, len(pattern) // 2, axis=0)) / 2
    enlarged: Doubles = odd / (odd.std(axis=0) + SMALL)
    return enlarged


def _strongest_at(frames: Floats, times: Doubles) -> Doubles:
    """The highest value near each time, in each column."""
    rate = onsets.FRAME_RATE
    near = np.arange(-round(EARLY * rate), round(LATE * rate) + 1)
    places = np.clip(np.round(times * rate).astype(int)[:, np.newaxis] + near, 0, len(frames) - 1)
    strongest: Doubles = frames[places].max(axis=1).astype(np.float64)
    return strongest


def _steps_at(levels: Floats, times: Doubles, beat: float) -> Doubles:
    """By how much the beat after each time is louder than the beat before, in each range, as a logarithm."""
    floor = SILENCE * levels.mean(axis=0) + 1e-9
    after, before = (_means(levels, onsets.FRAME_RATE, start, start + beat) + floor for start in (times, times - beat))
    steps: Doubles = np.log(after / before)
    return steps


def _changes_at(classes: Floats, times: Doubles, reach: float) -> Doubles:
    """How different the pitch classes of the seconds after each time are from those of the seconds before."""

    def between(start: Doubles, end: Doubles) -> Doubles:
        mean = _means(classes, keys.FRAME_RATE, start, end)
        centred = mean - mean.mean(axis=1, keepdims=True)
        unit: Doubles = centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6)
        return unit

    after, before = between(times + CHANGING, times + reach), between(times - reach, times - CHANGING)
    changes: Doubles = 1 - (after * before).sum(axis=1)
    return changes


def _means(frames: Floats, rate: int, start: Doubles, end: Doubles) -> Doubles:
    """The mean of the frames between each two times, of one frame at least."""
    sums = np.cumsum(np.pad(frames, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
    first = np.clip(np.round(start * rate).astype(int), 0, len(frames) - 1)
    last = np.clip(np.round(end * rate).astype(int), first + 1, len(frames))
    means: Doubles = (sums[last] - sums[first]) / (last - first)[:, np.newaxis]
    return means


def _weights(meter: str, pattern: Doubles) -> Doubles:
    fitted = _fitted_weights().get(meter)
    if fitted is not None:
        return fitted
    plain = np.zeros_like(pattern)
    plain[0, : len(PLAIN_WEIGHTS)] = PLAIN_WEIGHTS
    return plain


@cache
def _fitted_weights() -> dict[str, Doubles]:
    return {meter: np.array(rows) for meter, rows in json.loads(WEIGHTS.read_text()).items()}
