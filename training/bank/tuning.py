"""How far a recorded note is from its pitch: some of the sound font's are out of tune by a quarter of a semitone."""

import numpy as np
from numpy.typing import NDArray

from training.bank.soundfont import SAMPLE_RATE

Audio = NDArray[np.float32]

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
