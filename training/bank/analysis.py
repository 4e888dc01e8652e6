"""Analyses recorded notes: finds loop points and the deviation from the pitch."""

import numpy as np
from numpy.typing import NDArray

from training.bank.soundfont import SAMPLE_RATE

Audio = NDArray[np.float32]

# Length of the compared passages, which the sampler crossfades.
OVERLAP = round(0.06 * SAMPLE_RATE)
SHORTEST = 0.35
# Range of the loop, as shares of the sound's length; the attack is excluded.
EARLIEST, LATEST = 0.3, 0.97


def find_loop(audio: Audio) -> tuple[int, int, float]:
    """Find the best loop of a mono sound: two distant passages that sound the same.

    Returns:
        The loop's first sample, the sample after its last, and the correlation of the audio before both, at best 1.
    """
    end = round(LATEST * len(audio))
    tail = audio[end - OVERLAP : end]
    first = round(EARLIEST * len(audio)) - OVERLAP
    region = audio[first : end - round(SHORTEST * len(audio))]
    products = np.correlate(region, tail, "valid")
    energies = np.convolve(region**2, np.ones(OVERLAP), "valid")
    likeness = products / np.sqrt(energies * np.sum(tail**2) + 1e-12)
    best = int(np.argmax(likeness))
    return first + best + OVERLAP, end, float(likeness[best])


PARTIALS = 4
# Search range around a partial in semitones, and length of the padded window in samples.
NEAR = 0.9
SIZE = 1 << 19
# Deviations to correct, in cents. Smaller ones are intentional (stretched tuning); larger ones are measuring errors.
LEAST, MOST = 6.0, 45.0
BEGIN, COUNT = round(0.1 * SAMPLE_RATE), round(1.2 * SAMPLE_RATE)


def find_cents(audio: Audio, pitch: int) -> float:
    """How many cents a note is sharp, by the strongest of its first partials; 0 if it needs no correction.

    Some notes of the sound font are off by a quarter of a semitone.

    Args:
        audio: mono, float32.
        pitch: the intended MIDI key.
    """
    part = audio[BEGIN : BEGIN + COUNT]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), SIZE))
    hertz = 440.0 * 2 ** ((pitch - 69) / 12)
    found = [_peak(spectrum, number * hertz) for number in range(1, PARTIALS + 1)]
    cents = max(found)[1]
    return round(cents, 1) if LEAST < abs(cents) < MOST else 0.0


def _peak(spectrum: NDArray[np.float64], hertz: float) -> tuple[float, float]:
    """The magnitude of the strongest peak near a frequency, and its distance in cents."""
    low, high = (round(hertz * 2 ** (side * NEAR / 12) * SIZE / SAMPLE_RATE) for side in (-1, 1))
    if high >= len(spectrum):
        return 0.0, 0.0
    best = low + int(np.argmax(spectrum[low:high]))
    return float(spectrum[best]), float(1200 * np.log2(best * SAMPLE_RATE / SIZE / hertz))
