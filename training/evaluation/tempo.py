"""Measures the tempo: the one that the conductor declares, and the one of the onsets in the audio."""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.cases import asks_tempo
from training.evaluation.performance import Figures, Floats, Performance, headers
from worker.engine.sampler.clock import SAMPLE_RATE

WITHIN = 0.01
WINDOW, HOP = 1024, 256
# The comb's candidate tempos in BPM: one octave, 0.1% apart.
CANDIDATES = 80 * 2 ** np.arange(0, 1, np.log2(1.001))
# The comb's teeth, in notes per beat.
TEETH = (0.5, 1.0, 2.0, 4.0)


def tempo_figures(performance: Performance) -> Figures:
    """Whether both tempos match the requested one within 1%."""
    if not asks_tempo(performance.spec):
        return {}
    asked = float(performance.spec.bpm or 0)
    declared = float(np.median([header.bpm for header, _ in headers(performance.codes)]))
    heard = comb_tempo(performance.audio)
    return {
        "tempo, conductor": float(abs(declared / asked - 1) <= WITHIN),
        "tempo, audio": float(any(_octaves_apart(heard, asked * ratio) for ratio in (1.0, 3.0))),
    }


def _octaves_apart(first: float, second: float) -> bool:
    octaves = np.log2(first / second)
    return bool(abs(octaves - round(octaves)) <= np.log2(1 + WITHIN))


def onset_strength(audio: Floats) -> NDArray[np.float64]:
    """Spectral flux (Dixon 2006, section 2.1): the increase of each bin's log magnitude, summed over bins.

    Args:
        audio: float32 of shape [channels, samples].

    Returns:
        One value for each 8 ms, minus its mean over a second.
    """
    mono = audio.mean(0)
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
    loudness = np.log1p(100 * np.abs(np.fft.rfft(frames)))
    flux = np.maximum(np.diff(loudness, axis=0), 0).sum(1)
    second = SAMPLE_RATE // HOP
    return np.asarray(flux - np.convolve(flux, np.ones(second) / second, "same"), np.float64)


def comb_tempo(audio: Floats) -> float:
    """The tempo of the onsets, in the octave of 80 to 160 BPM.

    Onsets on a grid add up in the Fourier transform of their strength at the grid's frequency and its multiples. The
    result is the tempo whose comb has the largest sum.
    """
    strength = onset_strength(audio)
    times = np.arange(len(strength)) * HOP / SAMPLE_RATE
    caught = np.zeros(len(CANDIDATES))
    for teeth in TEETH:
        frequencies = CANDIDATES * teeth / 60
        caught += np.abs(np.exp(-2j * np.pi * np.outer(frequencies, times)) @ strength)
    return float(CANDIDATES[np.argmax(caught)])
