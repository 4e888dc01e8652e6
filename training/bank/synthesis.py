"""The synthesized instruments: synthesizers (additive, so without aliasing), a drum machine and vinyl crackle."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt  # type: ignore[import-untyped]

from training.bank.soundfont import SAMPLE_RATE

Audio = NDArray[np.float32]
Sound = NDArray[np.float64]
# The amplitude of a partial, as a function of its number and its frequency in hertz.
Spectrum = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]

HIGHEST = 14000.0


def synthesizer(pitch: int) -> Audio:
    """Three saws a few cents apart with a bright attack, for leads and plucks."""
    hertz, time = _hertz(pitch), _time(3.0)
    bright = _voices(hertz, time, (-8, 0, 7), _saw(max(9000.0, 6 * hertz)))
    dark = _voices(hertz, time, (-8, 0, 7), _saw(max(1800.0, 3 * hertz)))
    return _shape(dark + bright * np.exp(-time / 0.3), time, attack=0.004)


def pads(pitch: int) -> Audio:
    """Five soft, widely detuned saws and an octave above, with a slow attack."""
    hertz, time = _hertz(pitch), _time(4.2)
    body = _voices(hertz, time, (-14, -6, 0, 5, 13), _saw(max(1100.0, 2.5 * hertz)))
    air = _voices(2 * hertz, time, (-9, 10), _saw(max(2600.0, 3 * hertz)))
    return _shape(body + 0.22 * air * (1 - np.exp(-time / 0.8)), time, attack=0.16)


def synth_bass(pitch: int) -> Audio:
    """Two saws behind a closing filter, over a sine."""
    hertz, time = _hertz(pitch), _time(2.4)
    open_saw = _voices(hertz, time, (-5, 4), _saw(max(3200.0, 8 * hertz)))
    closed = _voices(hertz, time, (-5, 4), _saw(max(500.0, 4 * hertz)))
    deep = 0.9 * np.sin(2 * np.pi * hertz * time)
    return _shape(deep + 0.7 * closed + 0.6 * open_saw * np.exp(-time / 0.16), time, attack=0.003)


def _saw(cutoff: float) -> Spectrum:
    """A saw behind a two-pole low-pass filter."""
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


def electronic_kit() -> dict[str, Audio]:
    """The kit pieces of a drum machine: float32, mono."""
    pieces = {
        "kick": _kick(),
        "snare": _snare(),
        "clap_or_rim": _clap(),
        "closed_hat": _metal(0.16, 0.028, 7500),
        "open_hat": _metal(0.7, 0.16, 7000),
        "ride": _metal(1.4, 0.38, 5200),
        "crash": _metal(2.6, 0.7, 3800),
    }
    return {name: sound.astype(np.float32) for name, sound in pieces.items()}


def crackle(seconds: float = 6.0) -> Audio:
    """Vinyl crackle: few loud clicks, many faint ones, and hiss. It can be looped."""
    random = np.random.default_rng(78)
    count = round(seconds * SAMPLE_RATE)
    clicks = np.zeros(count)
    for rate, level in ((2.5, 1.0), (14.0, 0.3), (60.0, 0.07)):
        places = random.integers(0, count, round(rate * seconds))
        clicks[places] += level * random.uniform(0.4, 1.0, len(places)) * random.choice((-1.0, 1.0), len(places))
    sound = 3 * _band(clicks, 700, 6500) + 0.008 * _band(random.standard_normal(count), 300, 5000)
    return sound.astype(np.float32)


def worn(sound: Audio) -> Audio:
    """A lo-fi version of a drum: low-passed and slightly saturated."""
    soft = sosfilt(butter(2, 5200, "low", fs=SAMPLE_RATE, output="sos"), sound / np.max(np.abs(sound)))
    return np.asarray(np.tanh(1.8 * soft), np.float32)


def _kick() -> Sound:
    time = _time(0.55)
    hertz = 47 + 190 * np.exp(-time / 0.018) + 55 * np.exp(-time / 0.07)
    body = np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE) * np.exp(-time / 0.17)
    click = 0.25 * _noise(len(time)) * np.exp(-time / 0.002)
    return np.asarray(np.tanh(1.6 * body + click) * np.minimum(1, (0.55 - time) / 0.05))


def _snare() -> Sound:
    time = _time(0.4)
    tone = np.sin(2 * np.pi * 188 * time + 2 * np.exp(-time / 0.01)) + 0.6 * np.sin(2 * np.pi * 331 * time)
    wires = _band(_noise(len(time)), 1400, 12000) * np.exp(-time / 0.085)
    return np.asarray(0.55 * tone * np.exp(-time / 0.06) + 1.1 * wires)


def _clap() -> Sound:
    time = _time(0.4)
    hands = sum(np.where(time >= at, np.exp(-(time - at) / 0.006), 0.0) for at in (0.0, 0.011, 0.022))
    room = np.where(time >= 0.03, np.exp(-(time - 0.03) / 0.07), 0.0)
    return np.asarray(_band(_noise(len(time)), 800, 5000) * (hands + 0.9 * room))


def _metal(seconds: float, decay: float, lowest: float) -> Sound:
    """Six inharmonic squares, as in drum machines of 1980, with noise and a high band-pass."""
    time = _time(seconds)
    squares = sum(np.sign(np.sin(2 * np.pi * hertz * time)) for hertz in (205.3, 304.4, 369.6, 522.7, 800.0, 1204.0))
    sound = _band(np.asarray(squares) / 6 + 0.6 * _noise(len(time)), lowest, 14500)
    return np.asarray(sound * np.exp(-time / decay) * np.minimum(1, (seconds - time) / 0.02))


def _band(sound: Sound, low: float, high: float) -> Sound:
    return np.asarray(sosfilt(butter(2, (low, high), "band", fs=SAMPLE_RATE, output="sos"), sound))


def _noise(count: int) -> Sound:
    return np.random.default_rng(808).standard_normal(count)


def _time(seconds: float) -> Sound:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
