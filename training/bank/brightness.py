"""Brightens recordings that have little above 5 kHz: a high shelf, and harmonics of what is there (an exciter)."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt, sosfiltfilt  # type: ignore[import-untyped]

from training.bank.soundfont import SAMPLE_RATE

Audio = NDArray[np.float32]
Sound = NDArray[np.float64]

SHELF_HERTZ = 4500.0
# The octave below 8 kHz, whose harmonics fill the octave above it, and the wanted slope between the two in decibels.
SOURCE = (2500.0, 7500.0)
OCTAVE, ABOVE = (4000.0, 8000.0), 8000.0
SLOPE = -9.0
# Seconds over which the exciter's source is levelled, so that soft notes get as much as loud ones.
LEVELLING = 0.01
OVERSAMPLING = 2


def brighten(audio: Audio, shelf: float) -> Audio:
    """Brighten a mono sound.

    Args:
        audio: float32.
        shelf: gain in decibels above about 4.5 kHz.
    """
    sound = high_shelf(audio.astype(np.float64), shelf)
    missing = _power(sound, *OCTAVE) * 10 ** (SLOPE / 10) - _power(sound, ABOVE, SAMPLE_RATE / 2)
    if missing <= 0:
        return sound.astype(np.float32)
    extra = _harmonics(sound)
    found = _power(extra, ABOVE, SAMPLE_RATE / 2)
    return np.asarray(sound + extra * np.sqrt(missing / max(found, 1e-20)), np.float32)


def high_shelf(sound: Sound, decibels: float) -> Sound:
    """A second-order high shelf with a slope of 1 (R. Bristow-Johnson, "Audio EQ Cookbook")."""
    root = 10 ** (decibels / 40)
    turn = 2 * np.pi * SHELF_HERTZ / SAMPLE_RATE
    cosine, bend = np.cos(turn), np.sqrt(2 * root) * np.sin(turn)
    more, less = root + 1, root - 1
    upper = np.array([more + less * cosine + bend, -2 * (less + more * cosine), more + less * cosine - bend]) * root
    lower = np.array([more - less * cosine + bend, 2 * (less - more * cosine), more - less * cosine - bend])
    return np.asarray(sosfilt(np.concatenate((upper, lower))[None] / lower[0], sound))


def _harmonics(sound: Sound) -> Sound:
    """The second harmonics of the source band, as loud as the band is, above `ABOVE`."""
    fast = np.asarray(resample_poly(sound, OVERSAMPLING, 1))
    band = _filtered(fast, "bandpass", SOURCE)
    level = np.sqrt(np.maximum(_filtered(band**2, "lowpass", 1 / (2 * np.pi * LEVELLING)), 0.0))
    harmonics = band**2 / np.maximum(level, 1e-3 * max(float(level.max()), 1e-9))
    return np.asarray(resample_poly(_filtered(harmonics, "highpass", ABOVE), 1, OVERSAMPLING))


def _filtered(sound: Sound, kind: str, hertz: float | tuple[float, float]) -> Sound:
    sections = butter(2, hertz, kind, fs=SAMPLE_RATE * OVERSAMPLING, output="sos")
    return np.asarray(sosfiltfilt(sections, sound))


def _power(sound: Sound, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    return float(spectrum[(hertz >= low) & (hertz < high)].sum())
