"""What a recording tells of itself: where it can be looped, and how far it is out of tune."""

import numpy as np
from numpy.typing import NDArray

from training.bank.soundfont import SAMPLE_RATE

Audio = NDArray[np.float32]

# What is compared, and what the sampler fades from one place into the other.
OVERLAP = round(0.06 * SAMPLE_RATE)
SHORTEST = 0.35
# The sound's beginning is not for the loop: shares of its length.
EARLIEST, LATEST = 0.3, 0.97


def find_loop(audio: Audio) -> tuple[int, int, float]:
    """The best loop of a mono sound.

    Returns:
        Its first sample, the one after its last, and how alike the sound before both is: a correlation, at best 1.
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
# Semitones around a partial in which it is looked for, and samples of the padded window.
NEAR = 0.9
SIZE = 1 << 19
# Less is left as it is, because players and piano tuners mean it; more is no fault of tuning, but of this ear.
LEAST, MOST = 6.0, 45.0
BEGIN, COUNT = round(0.1 * SAMPLE_RATE), round(1.2 * SAMPLE_RATE)


def find_cents(audio: Audio, pitch: int) -> float:
    """Cents that a note is too high, by the strongest of its first partials; 0 where that is nothing to correct.

    Args:
        audio: mono, float32.
        pitch: the MIDI key that it should be.
    """
    part = audio[BEGIN : BEGIN + COUNT]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), SIZE))
    hertz = 440.0 * 2 ** ((pitch - 69) / 12)
    found = [_peak(spectrum, number * hertz) for number in range(1, PARTIALS + 1)]
    cents = max(found)[1]
    return round(cents, 1) if LEAST < abs(cents) < MOST else 0.0


def _peak(spectrum: NDArray[np.float64], hertz: float) -> tuple[float, float]:
    """The strength of the strongest peak near a frequency, and its distance in cents."""
    low, high = (round(hertz * 2 ** (side * NEAR / 12) * SIZE / SAMPLE_RATE) for side in (-1, 1))
    if high >= len(spectrum):
        return 0.0, 0.0
    best = low + int(np.argmax(spectrum[low:high]))
    return float(spectrum[best]), float(1200 * np.log2(best * SAMPLE_RATE / SIZE / hertz))
