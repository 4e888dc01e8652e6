"""The synthesized instruments: synthesizers (additive saws, so without aliasing), a clap and vinyl crackle."""

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
    """Five detuned saws behind a filter that opens with the attack, for leads and plucks."""
    hertz, time = _hertz(pitch), _time(3.0)
    saws = _voices(hertz, time, (-11, -5, 0, 6, 12), _saw(HIGHEST))
    cutoff = max(1800.0, 3.5 * hertz) + max(7500.0, 5 * hertz) * np.exp(-time / 0.25)
    return _shape(_swept(saws, cutoff, resonance=1.1), time, attack=0.004)


def pads(pitch: int) -> Audio:
    """Five widely detuned saws and an octave above, behind a filter that opens slowly."""
    hertz, time = _hertz(pitch), _time(4.2)
    body = _voices(hertz, time, (-14, -6, 0, 5, 13), _saw(HIGHEST)) + 0.2 * _voices(
        2 * hertz, time, (-9, 10), _saw(max(5200.0, 3 * hertz))
    )
    cutoff = max(1500.0, 3 * hertz) + 1500.0 * (np.exp(-((time - 0.7) ** 2) / 0.25) - np.exp(-time / 0.2))
    return _shape(_swept(body, np.maximum(cutoff, 1.5 * hertz), resonance=0.8), time, attack=0.16)


def synth_bass(pitch: int) -> Audio:
    """Two saws behind a resonant filter that closes, over a saturated sine, as of a TR-808's bass drum."""
    hertz, time = _hertz(pitch), _time(2.4)
    saws = _voices(hertz, time, (-4, 3), _saw(HIGHEST))
    cutoff = max(320.0, 3 * hertz) + max(2600.0, 10 * hertz) * np.exp(-time / 0.14)
    deep = np.tanh(1.8 * np.sin(2 * np.pi * hertz * time)) / np.tanh(1.8)
    return _shape(0.6 * deep + 0.9 * _swept(saws, cutoff, resonance=1.8), time, attack=0.003)


# Samples for which the swept filter keeps its cutoff.
SWEEP_BLOCK = 16


def _swept(sound: Sound, cutoff: NDArray[np.float64], resonance: float) -> Sound:
    """A second-order low-pass filter with a moving cutoff in hertz (R. Bristow-Johnson, "Audio EQ Cookbook")."""
    turn = 2 * np.pi * np.minimum(cutoff[::SWEEP_BLOCK], HIGHEST) / SAMPLE_RATE
    cosine, alpha = np.cos(turn), np.sin(turn) / (2 * resonance)
    sections = np.stack(((1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2, 1 + alpha, -2 * cosine, 1 - alpha), axis=1)
    sections /= sections[:, 3:4].copy()
    state, parts = np.zeros((1, 2)), []
    for section, begin in zip(sections, range(0, len(sound), SWEEP_BLOCK), strict=True):
        part, state = sosfilt(section[None], sound[begin : begin + SWEEP_BLOCK], zi=state)
        parts.append(part)
    return np.concatenate(parts)


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
    soft = sosfilt(butter(2, 7000, "low", fs=SAMPLE_RATE, output="sos"), sound / np.max(np.abs(sound)))
    return np.asarray(np.tanh(1.8 * soft), np.float32)


def clap() -> Audio:
    """The hand clap of a drum machine: three short bursts of noise and a longer one."""
    time = _time(0.4)
    hands = sum(np.where(time >= at, np.exp(-(time - at) / 0.006), 0.0) for at in (0.0, 0.011, 0.022))
    room = np.where(time >= 0.03, np.exp(-(time - 0.03) / 0.07), 0.0)
    return np.asarray(_band(_noise(len(time)), 800, 5000) * (hands + 0.9 * room), np.float32)


def _band(sound: Sound, low: float, high: float) -> Sound:
    return np.asarray(sosfilt(butter(2, (low, high), "band", fs=SAMPLE_RATE, output="sos"), sound))


def _noise(count: int) -> Sound:
    return np.random.default_rng(808).standard_normal(count)


def _time(seconds: float) -> Sound:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
