"""Measures the audio of a take by libraries that are not ours: tempo, silence, peak, width and brightness."""

from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly, welch  # type: ignore[import-untyped]

Sound = NDArray[np.float64]

SILENT_DBFS = -50.0
# A beat tracker may count half or double the beats, or groups of three.
MULTIPLES = (1, 2, 1 / 2, 3, 1 / 3)
TEMPO_WITHIN = 0.03
# Where the octaves begin, in hertz.
OCTAVES = (125, 250, 500, 1000, 2000)
HIGHS = (8000.0, 16_000.0)
TINY = 1e-12


@dataclass(frozen=True)
class Heard:
    """What is heard of a take.

    Attributes:
        silent_seconds: whole seconds without sound, before the last one.
        true_peak: in dBTP, four times oversampled.
        side_to_mid: the level of the difference between the channels against that of their sum, in decibels.
        highs_to_pink: the level of 8 to 16 kHz against the mean of the octaves from 125 Hz to 4 kHz, in decibels. Pink
            noise has 0, because its octaves are equally loud.
    """

    silent_seconds: int
    true_peak: float
    side_to_mid: float
    highs_to_pink: float


def listen(audio: Sound, rate: int) -> Heard:
    """Measure audio of shape [frames, 2]."""
    return Heard(_silent_seconds(audio, rate), _true_peak(audio), _side_to_mid(audio), _highs_to_pink(audio, rate))


def decibels(power: float) -> float:
    return float(10 * np.log10(power + TINY))


def _silent_seconds(audio: Sound, rate: int) -> int:
    """Half seconds are looked at, so that a silent second cannot hide between two others."""
    half = rate // 2
    parts = (audio[: len(audio) // half * half] ** 2).reshape(-1, half * audio.shape[1]).mean(axis=1)
    quiet = parts < 10 ** (SILENT_DBFS / 10)
    # What is before the last second.
    return int(np.sum(quiet[:-1] & quiet[1:])) if len(quiet) < 3 else int(np.sum(quiet[:-3] & quiet[1:-2]))


def _true_peak(audio: Sound) -> float:
    return 2 * decibels(float(np.abs(resample_poly(audio, 4, 1, axis=0)).max()))


def _side_to_mid(audio: Sound) -> float:
    left, right = audio.T
    return decibels(float(((left - right) ** 2).mean())) - decibels(float(((left + right) ** 2).mean()))


def _highs_to_pink(audio: Sound, rate: int) -> float:
    frequencies, density = welch(audio.mean(axis=1), rate, nperseg=8192)

    def level(low: float, high: float) -> float:
        return float(density[(frequencies >= low) & (frequencies < high)].sum())

    octaves = [level(low, 2 * low) for low in OCTAVES]
    return decibels(level(*HIGHS)) - decibels(float(np.mean(octaves)))


def hears_tempo(audio: Sound, rate: int, bpm: float) -> bool:
    """Whether librosa's beat tracker finds this tempo, or a simple multiple of it.

    The tracker places beats on frames of 23 ms, so the tempo is that of the line through all of them.
    """
    mono = librosa.resample(audio.mean(axis=1).astype(np.float32), orig_sr=rate, target_sr=22_050)
    _, beats = librosa.beat.beat_track(y=mono, sr=22_050, units="time")
    if len(beats) < 4:
        return False
    found = 60 / float(np.polyfit(np.arange(len(beats)), beats, 1)[0])
    return any(abs(found / (bpm * ratio) - 1) <= TEMPO_WITHIN for ratio in MULTIPLES)
