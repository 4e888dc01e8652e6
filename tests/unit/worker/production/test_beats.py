"""Tempo, beats and downbeats of material whose grid is known; docs/engine.md has the figures of more material."""

import random

import numpy as np
import pytest

from training.grid_material import MAKERS, Material
from worker.engine.interface import Samples
from worker.production.beats import find_beats, locate_attack
from worker.production.downbeats import find_downbeat
from worker.production.keys import pitch_classes
from worker.production.onsets import find_onsets

RATE = 32_000
# Metronomes, drums and pieces.
MATERIAL = [(name, seed) for name, count in (("clicks", 12), ("drums", 12), ("pieces", 3)) for seed in range(count)]


def made(name: str, seed: int) -> Material:
    return MAKERS[name](seed, 20.0)


def asked_near(bpm: float, seed: int) -> float:
    return bpm * random.Random(seed).uniform(0.945, 1.055)


@pytest.mark.parametrize(("name", "seed"), MATERIAL)
def test_the_tempo_is_found_to_a_thousandth(name: str, seed: int) -> None:
    material = made(name, seed)
    beats = find_beats(find_onsets(material.audio, material.sample_rate), asked_near(material.bpm, seed))
    assert beats.bpm == pytest.approx(material.bpm, rel=1e-3)
    assert beats.confidence > 0.8


def downbeat_error(material: Material) -> float:
    """How far the found downbeat is from one, in quarter notes."""
    onsets = find_onsets(material.audio, material.sample_rate)
    beats = find_beats(onsets, material.bpm)
    classes = pitch_classes(material.audio, material.sample_rate)
    downbeat = find_downbeat(onsets, classes, beats, material.meter)
    quarters = (downbeat.time - material.downbeat) / beats.period
    bar = int(material.meter[0])
    return abs(quarters - bar * round(quarters / bar))


@pytest.mark.parametrize(("name", "share"), [("clicks", 0.95), ("drums", 0.9), ("kits", 0.75)])
def test_most_downbeats_of_metronomes_and_drums_are_found(name: str, share: float) -> None:
    errors = [downbeat_error(made(name, seed)) for seed in range(100, 120)]
    assert np.mean(np.array(errors) < 0.1) >= share


def test_a_softer_kick_in_the_middle_of_the_bar_is_not_taken_for_the_downbeat() -> None:
    # In logarithms the halves of this bar are almost equal.
    bar, kick = 2.0, np.sin(2 * np.pi * 55 * np.arange(RATE // 5) / RATE) * np.exp(-np.arange(RATE // 5) / RATE / 0.06)
    audio = np.zeros((20 * RATE, 1), np.float32)
    for number in range(18):
        start = round((0.7 + number * bar / 2) * RATE)
        audio[start : start + len(kick), 0] += kick * (0.75 if number % 2 else 1.0)
    onsets, classes = find_onsets(audio, RATE), pitch_classes(audio, RATE)
    downbeat = find_downbeat(onsets, classes, find_beats(onsets, 120.0), "4/4")
    assert downbeat.time % bar == pytest.approx(0.7, abs=0.03)


def test_a_tempo_that_two_measurements_disagree_on_is_not_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    onsets = find_onsets(made("drums", 1).audio, RATE)
    monkeypatch.setattr("worker.production.beats._repeated", lambda spectrum, period: period * 1.002)
    assert find_beats(onsets, made("drums", 1).bpm).confidence < 0.5


@pytest.mark.parametrize("seed", range(4))
def test_attacks_are_located_to_a_few_milliseconds(seed: int) -> None:
    material = made("clicks", seed)
    rough = np.arange(material.downbeat, 19.0, 60 / material.bpm) + 0.008
    assert rough[0] + locate_attack(material.audio, RATE, rough) == pytest.approx(material.downbeat, abs=0.005)


@pytest.mark.parametrize("seed", range(6))
def test_another_tempo_than_the_musics_is_not_pretended(seed: int) -> None:
    material = made("drums", seed)
    onsets = find_onsets(material.audio, material.sample_rate)
    assert find_beats(onsets, material.bpm * 1.2).confidence < 0.5


def noise() -> Samples:
    return np.random.default_rng(1).standard_normal((10 * RATE, 2)).astype(np.float32)


def tone() -> Samples:
    return np.sin(np.arange(10 * RATE, dtype=np.float32) / 10)[:, None]


def unsteady() -> Samples:
    """Clicks at random times."""
    source, audio = np.random.default_rng(2), np.zeros((10 * RATE, 1), np.float32)
    audio[source.integers(0, len(audio), 40)] = 1
    return audio


@pytest.mark.parametrize("audio", [noise(), tone(), unsteady(), np.zeros((10 * RATE, 1), np.float32)])
@pytest.mark.parametrize("asked", [120.0, None])
def test_audio_without_a_beat_has_no_sure_tempo(audio: Samples, asked: float | None) -> None:
    assert find_beats(find_onsets(audio, RATE), asked).confidence < 0.8


def test_without_a_question_a_plain_beat_has_a_tempo_of_its_family() -> None:
    material = made("drums", 1)
    found = find_beats(find_onsets(material.audio, material.sample_rate))
    assert np.log2(found.bpm / material.bpm) == pytest.approx(round(np.log2(found.bpm / material.bpm)), abs=0.002)
