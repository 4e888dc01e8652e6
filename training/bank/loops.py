"""Finds where a sustained sound can go round: two places, far apart, that sound the same."""

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
