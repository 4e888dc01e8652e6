"""Finds tempo and beats of music whose tempo is constant, as that of most generated music is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.music import HIGHEST_BPM, LOWEST_BPM
from worker.engine.interface import Samples
from worker.production.onsets import FRAME_RATE, Onsets
from worker.production.spectra import Floats, mono

Doubles = NDArray[np.float64]

# How far from the asked tempo the music's is looked for, as a share.
SEARCHED = 0.08
# Steps between the tempos that are tried.
FINE, COARSE = 0.0003, 0.003
# Onsets per beat whose regularity counts.
TEETH = np.array([0.5, 1.0, 2.0, 4.0])
# Tempos in these ratios have beats in common, so their strengths say nothing about each other.
RELATED = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3, 4)
RELATED_WITHIN = 0.04
# The related tempos that can be meant as well.
RIVALS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 2, 3, 4)
# Where no tempo was asked for: the most usual one, and how far others are from it.
USUAL_BPM, USUAL_OCTAVES = 110.0, 0.6
# Points of the Fourier transform of the onsets: steps of a thousandth of a hertz.
POINTS = 1 << 17
# Beats divided by this make a finer grid, on which onsets are fitted.
PARTS = 2
# Frequencies at which a pattern of onsets repeats that is as long as four beats, in beats; and those that count, in
# hertz: faster repetitions are not exact.
REPEATS, FASTEST_REPEAT = np.arange(1, 65) / 4, 30.0
# How far from the fitted tempo the repetition's is looked for, in steps; and by how much the two may differ. As shares.
REPEAT_SEARCHED, REPEAT_STEP, AGREED = 0.006, 0.0001, 0.001
# Rounds of fitting, and the share of the finer grid's step within which an onset belongs to it in the first round.
ROUNDS, REACH = 3, 0.25
# Of the logistic regressions of the confidence: the tempo's lead over related tempos, and then `_confidence`.
LEAD_WEIGHT, LEAD_BIAS = 2.2, -0.5
CONTRAST_WEIGHT, REGULARITY_WEIGHT, BIAS = 7.5, 2.0, -4.4
# Milliseconds around a beat in which its attack is looked for, and the share of its energy's rise that begins it.
ATTACK, RISE = 40, 0.1


class Beats(NamedTuple):
    """A regular grid of beats, quarter notes.

    Attributes:
        bpm: quarter notes per minute.
        first: a beat within the first beat's length, in seconds.
        confidence: that the tempo is right within 0.5%, 0 to 1.
    """

    bpm: float
    first: float
    confidence: float

    @property
    def period(self) -> float:
        """Seconds between beats."""
        return 60 / self.bpm


def find_beats(onsets: Onsets, asked_bpm: float | None = None) -> Beats:
    """The beats of music, with a low confidence if it has none.

    Args:
        onsets: of the music.
        asked_bpm: looked for within `SEARCHED`; None looks for any tempo, whose confidence is then lower, because half
            and double tempos fit as well.
    """
    spectrum = np.abs(np.fft.rfft(onsets.strength, POINTS))
    octave_confidence = 1.0
    if asked_bpm is None:
        asked_bpm, octave_confidence = _likeliest(spectrum)
    near = _tempos(asked_bpm * (1 - SEARCHED), asked_bpm * (1 + SEARCHED), FINE)
    strengths = _comb(spectrum, near)
    best = int(np.argmax(strengths))
    rough = 60 / near[best]
    fitted, first = _fitted(onsets.strength, rough, _phase(onsets.strength, rough))
    period = _repeated(spectrum, fitted)
    # Sounds with slow attacks among others with fast ones mislead both, in different ways.
    agreement = min(1.0, (AGREED / (abs(period / fitted - 1) + 1e-9)) ** 2)
    confidence = octave_confidence * agreement * _confidence(spectrum, onsets, near[best], strengths[best])
    # The beat in the middle, which has onsets on both sides, stays where it is.
    middle = first + round((onsets.seconds / 2 - first) / fitted) * fitted
    return Beats(60 / period, float(middle % period), float(confidence))


def _likeliest(spectrum: Floats) -> tuple[float, float]:
    """The tempo whose comb is strongest, preferring usual ones, and the confidence that no related one is the tempo."""
    tempos = _tempos(LOWEST_BPM, HIGHEST_BPM, COARSE)
    strengths = _comb(spectrum, tempos) * np.exp(-0.5 * (np.log2(tempos / USUAL_BPM) / USUAL_OCTAVES) ** 2)
    best = int(np.argmax(strengths))
    lead = strengths[best] / (strengths[_are_related(tempos, tempos[best], RIVALS)].max() + 1e-9)
    return float(tempos[best]), _chance(LEAD_WEIGHT * np.log(lead + 1e-9) + LEAD_BIAS)


def locate_attack(samples: Samples, sample_rate: int, times: Doubles) -> float:
    """How much later than these times the attacks begin that are common to them, in seconds, to about a millisecond.

    Args:
        samples: float32 of shape [frames, channels].
        sample_rate: in hertz.
        times: in seconds, each within `ATTACK` milliseconds of its attack.
    """
    energy = _energy(samples, sample_rate)
    middles = np.round(times * 1000).astype(int)
    middles = middles[(middles >= ATTACK) & (middles < len(energy) - ATTACK)]
    if len(middles) == 0:
        return 0.0
    around = energy[middles[:, np.newaxis] + np.arange(-ATTACK, ATTACK + 1)]
    # Each beat counts the same.
    rise = (around / (around.sum(axis=1, keepdims=True) + 1e-12)).mean(axis=0)
    rise = np.convolve(rise, np.full(3, 1 / 3), "same")[1:-1]
    threshold = rise.min() + RISE * (rise.max() - rise.min())
    last_low = int(np.flatnonzero(rise[: int(np.argmax(rise)) + 1] <= threshold)[-1:].sum())
    step = rise[last_low + 1] - rise[last_low]
    return float(last_low + 1 + np.clip((threshold - rise[last_low]) / (step + 1e-12), 0, 1) - ATTACK) / 1000


def _energy(samples: Samples, sample_rate: int) -> Doubles:
    """The energy of each millisecond, of high frequencies more than of low ones."""
    sound = mono(samples)
    slope = np.diff(sound, prepend=sound[:1]).astype(np.float64) ** 2
    starts = np.arange(len(sound) * 1000 // sample_rate) * sample_rate // 1000
    return np.add.reduceat(slope, starts) if len(starts) else slope[:0]


def _tempos(lowest: float, highest: float, step: float) -> Doubles:
    tempos: Doubles = np.exp(np.arange(np.log(lowest), np.log(highest), step))
    return tempos


def _comb(spectrum: Floats, bpms: Doubles, teeth: Doubles = TEETH) -> Doubles:
    """How strongly the onsets are on a grid of each tempo: at these multiples of its beats' frequency.

    Onsets on a grid add up in their Fourier transform at the grid's frequency and its multiples, wherever it starts.
    """
    places = np.multiply.outer(teeth, bpms) / 60 * POINTS / FRAME_RATE
    lower = places.astype(int)
    share = places - lower
    strengths: Doubles = (spectrum[lower] * (1 - share) + spectrum[lower + 1] * share).sum(axis=0)
    return strengths


def _confidence(spectrum: Floats, onsets: Onsets, bpm: float, strength: float) -> float:
    """How likely a tempo is, from its comb and the strongest one of a tempo without common beats.

    The weights are fitted to material with known tempos, right and wrong ones asked for: see docs/engine.md.
    """
    others = _tempos(LOWEST_BPM, HIGHEST_BPM, COARSE)
    unrelated = others[~_are_related(others, bpm, RELATED)]
    contrast = strength / (_comb(spectrum, unrelated).max() + 1e-9)
    regularity = strength / (float(np.sqrt(np.sum(onsets.strength**2))) + 1e-9)
    return _chance(CONTRAST_WEIGHT * np.log(contrast + 1e-9) + REGULARITY_WEIGHT * np.log(regularity + 1e-9) + BIAS)


def _are_related(bpms: Doubles, bpm: float, ratios: tuple[float, ...]) -> NDArray[np.bool_]:
    distances: Doubles = np.abs(np.log(np.divide.outer(bpms / bpm, np.array(ratios))))
    return np.asarray(distances.min(axis=1) < RELATED_WITHIN)


def _chance(evidence: float) -> float:
    """The logistic function."""
    return float(1 / (1 + np.exp(-np.clip(evidence, -50, 50))))


def _phase(strength: Floats, period: float) -> float:
    """The time within a period at which most onsets are."""
    bins = 64
    places = (np.arange(len(strength)) / FRAME_RATE / period % 1 * bins).astype(int)
    folded = np.bincount(places, np.maximum(strength, 0), bins) / np.maximum(np.bincount(places, minlength=bins), 1)
    weights = 1 - np.abs(np.arange(-3, 4)) / 4
    smooth = np.convolve(np.concatenate([folded[-3:], folded, folded[:3]]), weights, "valid")
    return float(np.argmax(smooth)) / bins * period


def _fitted(strength: Floats, period: float, first: float) -> tuple[float, float]:
    """Fit a line through the onsets near the grid, by least squares: the beats' period and the first one's time."""
    times, weights = _peaks(strength)
    for reach in REACH * 0.6 ** np.arange(ROUNDS):
        places = (times - first) / (period / PARTS)
        numbers = np.round(places)
        distances = (places - numbers) / reach
        near = weights * np.exp(-2 * distances**2) * (np.abs(distances) < 1)
        if near.sum() <= 0:
            break
        middle = np.average(numbers, weights=near), np.average(times, weights=near)
        spread = (near * (numbers - middle[0]) ** 2).sum()
        if spread <= 0:
            break
        step = float((near * (numbers - middle[0]) * (times - middle[1])).sum() / spread)
        period, first = step * PARTS, float(middle[1] - step * middle[0])
    return period, first % period


def _repeated(spectrum: Floats, period: float) -> float:
    """The period near this one with which the pattern of onsets repeats most exactly, in seconds.

    Its energy then is in the multiples of one frequency. Unlike a line through onsets this does not need the sounds to
    have the same attack, only to have it again.
    """
    bpms = 60 / period * np.exp(np.arange(-REPEAT_SEARCHED, REPEAT_SEARCHED + REPEAT_STEP / 2, REPEAT_STEP))
    energy = _comb(spectrum**2, bpms, REPEATS[REPEATS * bpms[-1] / 60 < FASTEST_REPEAT])
    best = int(np.clip(np.argmax(energy), 1, len(energy) - 2))
    before, here, after = energy[best - 1 : best + 2]
    offset = np.clip(0.5 * (before - after) / np.minimum(before - 2 * here + after, -1e-12), -1, 1)
    return float(60 / (bpms[best] * np.exp(offset * REPEAT_STEP)))


def _peaks(strength: Floats) -> tuple[Doubles, Doubles]:
    """Times and heights of the maxima, by a parabola through three frames."""
    before, here, after = strength[:-2], strength[1:-1], strength[2:]
    found = np.flatnonzero((here > before) & (here >= after) & (here > 0))
    curve = (before - 2 * here + after)[found]
    offset = 0.5 * (before - after)[found] / np.minimum(curve, -1e-9)
    return (found + 1 + offset) / FRAME_RATE, here[found].astype(np.float64)
