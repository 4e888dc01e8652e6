"""Keys of chords whose key is known."""

import numpy as np
import pytest

from worker.engine.interface import Samples
from worker.production.keys import find_key, pitch_classes

RATE = 32_000
# A cadence from the tonic: I IV V I, as semitones above the tonic.
CADENCES = {
    False: ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)),
    True: ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7)),
}


def cadence(tonic: int, minor: bool, tuning: float = 440.0) -> Samples:
    times = np.arange(RATE) / RATE
    chords = []
    for chord in CADENCES[minor]:
        notes = [tuning * 2 ** ((48 + tonic + note - 69) / 12) for note in chord]
        overtones = [np.sin(2 * np.pi * note * part * times) / part for note in notes for part in (1, 2, 3)]
        chords.append(np.sum(overtones, axis=0))
    return np.concatenate(chords).astype(np.float32)[:, None]


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("tonic", [0, 3, 6, 9])
@pytest.mark.parametrize("tuning", [440.0, 432.0, 450.0])
def test_a_cadence_has_its_key_in_any_tuning(tonic: int, minor: bool, tuning: float) -> None:
    found = find_key(pitch_classes(cadence(tonic, minor, tuning), RATE))
    assert (found.key.tonic, found.key.minor) == (tonic, minor)


def test_noise_and_silence_have_no_sure_key() -> None:
    noise = np.random.default_rng(1).standard_normal((5 * RATE, 1)).astype(np.float32)
    assert find_key(pitch_classes(noise, RATE)).confidence < 0.6
    assert find_key(pitch_classes(np.zeros((5 * RATE, 1), np.float32), RATE)).confidence < 0.6
