"""Finds the key of music from how strongly each pitch class sounds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.music import Key
from worker.engine.interface import Samples
from worker.engine.key_profiles import MAJOR, MINOR
from worker.production.spectra import Floats, magnitudes, mono, window_length

# Frames per second of the pitch classes, and seconds of their windows: long enough to tell low semitones apart.
FRAME_RATE, WINDOW = 16, 0.25
# The range in which fundamentals are, in hertz; above are mostly overtones.
LOWEST, HIGHEST = 60.0, 1200.0
# What a magnitude is multiplied with before its logarithm, so that soft notes count beside loud ones.
GAIN = 20.0
# From this MIDI note on the spectrum is fine enough to estimate the tuning.
TUNED_NOTE = 64
# Of the logistic regression of the confidence on the fit of the best key and its lead over the second best; see
# docs/engine.md.
LEAD_WEIGHT, FIT_WEIGHT, BIAS = 8.7, 5.4, -4.7
# Below this deviation of the pitch classes, as a share of their mean, is noise.
NOISE = 0.25


class FoundKey(NamedTuple):
    """A key, and the confidence that it is right, 0 to 1."""

    key: Key
    confidence: float


def pitch_classes(samples: Samples, sample_rate: int) -> Floats:
    """How strongly each pitch class sounds, 16 times a second: [frames, 12], from C on.

    Args:
        samples: float32 of shape [frames, channels].
        sample_rate: in hertz.
    """
    length = window_length(sample_rate, WINDOW)
    first, last = (round(hertz * length / sample_rate) for hertz in (LOWEST, HIGHEST))
    blocks = magnitudes(mono(samples), sample_rate, FRAME_RATE, WINDOW)
    peaks = np.concatenate([_peaks(np.log1p(GAIN * block[:, first - 1 : last + 1])) for block in blocks])
    # MIDI's note numbers, of which multiples of 12 are C.
    notes = 69 + 12 * np.log2(np.arange(first, last) * sample_rate / length / 440)
    classes = np.round(notes - _tuning(peaks.mean(axis=0), notes)).astype(int) % 12
    return np.stack([peaks[:, classes == each].sum(axis=1) for each in range(12)], axis=1)


def _peaks(levels: Floats) -> Floats:
    """Each frame's local maxima, without the first and the last frequency; zero elsewhere."""
    here = levels[:, 1:-1]
    return here * ((here > levels[:, :-2]) & (here >= levels[:, 2:]))


def find_key(classes: Floats) -> FoundKey:
    """The key whose profile fits best (Krumhansl 1990, chapter 4).

    Args:
        classes: see `pitch_classes`; at least one frame.
    """
    heard = classes.mean(axis=0)
    fits = {
        Key(tonic, minor): _correlation(heard, np.roll(profile, tonic))
        for minor, profile in ((False, MAJOR), (True, MINOR))
        for tonic in range(12)
    }
    best, second = sorted(fits, key=lambda key: fits[key], reverse=True)[:2]
    evidence = LEAD_WEIGHT * (fits[best] - fits[second]) + FIT_WEIGHT * fits[best] + BIAS
    is_noise = np.std(heard) <= NOISE * np.mean(heard)
    return FoundKey(best, 0.0 if is_noise else float(1 / (1 + np.exp(-evidence))))


def _correlation(heard: Floats, profile: NDArray[np.float64]) -> float:
    first, second = heard - heard.mean(), profile - profile.mean()
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second) + 1e-9))


def _tuning(peaks: Floats, notes: NDArray[np.float64]) -> float:
    """How far the music's notes are above those of 440 Hz, in semitones from -0.5 to 0.5: the mean of its peaks."""
    turns = np.exp(2j * np.pi * notes) * peaks * (notes > TUNED_NOTE)
    return float(np.angle(turns.sum()) / (2 * np.pi))
