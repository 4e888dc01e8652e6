"""The instruments that are synthesizers in life too: sums of sines, so that nothing is above half the sample rate."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.bank.soundfont import SAMPLE_RATE

Audio = NDArray[np.float32]
# The amplitude of a partial: of its number and its frequency in hertz.
Spectrum = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]

HIGHEST = 14000.0


def synthesizer(pitch: int) -> Audio:
    """Three saws a few cents apart, bright at first: a lead that is a pluck too."""
    hertz, time = _hertz(pitch), _time(3.0)
    bright = _voices(hertz, time, (-8, 0, 7), _saw(max(9000.0, 6 * hertz)))
    dark = _voices(hertz, time, (-8, 0, 7), _saw(max(1800.0, 3 * hertz)))
    return _shape(dark + bright * np.exp(-time / 0.3), time, attack=0.004)


def pads(pitch: int) -> Audio:
    """Five soft saws wide apart, and an octave above; they swell."""
    hertz, time = _hertz(pitch), _time(4.2)
    body = _voices(hertz, time, (-14, -6, 0, 5, 13), _saw(max(1100.0, 2.5 * hertz)))
    air = _voices(2 * hertz, time, (-9, 10), _saw(max(2600.0, 3 * hertz)))
    return _shape(body + 0.22 * air * (1 - np.exp(-time / 0.8)), time, attack=0.16)


def synth_bass(pitch: int) -> Audio:
    """A saw and a square below a filter that closes, over a sine."""
    hertz, time = _hertz(pitch), _time(2.4)
    open_saw = _voices(hertz, time, (-5, 4), _saw(max(3200.0, 8 * hertz)))
    closed = _voices(hertz, time, (-5, 4), _saw(max(500.0, 4 * hertz)))
    deep = 0.9 * np.sin(2 * np.pi * hertz * time)
    return _shape(deep + 0.7 * closed + 0.6 * open_saw * np.exp(-time / 0.16), time, attack=0.003)


def _saw(cutoff: float) -> Spectrum:
    """A saw behind a low pass of two poles."""
    return lambda number, hertz: 1 / number / (1 + (hertz / cutoff) ** 4) ** 0.5


def _voices(hertz: float, time: NDArray[np.float64], cents: tuple[int, ...], spectrum: Spectrum) -> NDArray[np.float64]:
    random = np.random.default_rng(len(cents))
    sound = np.zeros_like(time)
    for cent in cents:
        base = hertz * 2 ** (cent / 1200)
        number = np.arange(1.0, max(2.0, min(120.0, HIGHEST / base)))
        phases = random.uniform(0, 2 * np.pi) * number
        for partial, amplitude, phase in zip(number, spectrum(number, number * base), phases, strict=True):
            if amplitude > 1e-4:
                sound += amplitude * np.sin(2 * np.pi * partial * base * time + phase)
    return sound / len(cents)


def _shape(sound: NDArray[np.float64], time: NDArray[np.float64], attack: float) -> Audio:
    return (sound * np.minimum(1.0, time / attack)).astype(np.float32)


def _hertz(pitch: int) -> float:
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
