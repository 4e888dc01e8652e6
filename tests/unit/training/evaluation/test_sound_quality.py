from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.evaluation.pieces import heard, written
from training.evaluation.performance import Performance
from training.evaluation.sound_quality import SoundMeasure, audible, band_levels, integrated_loudness, spectrum
from training.music import Spec, make_piece

RATE = 32_000
SPEC = Spec(genre="pop", bpm=120)


@pytest.fixture(scope="module")
def sound() -> SoundMeasure:
    pieces = [make_piece(seed) for seed in range(120)]
    return SoundMeasure([audible(heard(piece.spec, piece.score, 10.0).audio) for piece in pieces])


@pytest.fixture(scope="module")
def good() -> Performance:
    return heard(SPEC, written(SPEC), 10.0)


def test_a_rendering_of_the_generator_s_is_good(sound: SoundMeasure, good: Performance) -> None:
    assert set(sound(good).values()) == {1.0}


@pytest.mark.parametrize(("gain", "figure"), [(4.0, "no clipping"), (0.5, "-14 LUFS, within 2")])
def test_too_loud_clips_and_too_soft_is_noticed(
    sound: SoundMeasure, good: Performance, gain: float, figure: str
) -> None:
    figures = sound(replace(good, audio=good.audio * np.float32(gain)))
    assert figures[figure] == figures["sound"] == 0.0


@pytest.mark.parametrize("hertz", [30, 13_000])
def test_rumble_and_whistle_are_not_in_the_spectrum_s_range(sound: SoundMeasure, good: Performance, hertz: int) -> None:
    sine = 0.3 * np.sin(2 * np.pi * hertz * np.arange(good.audio.shape[1]) / RATE).astype(np.float32)
    figures = sound(replace(good, audio=np.stack([sine, sine])))
    assert figures["spectrum in range"] == figures["sound"] == 0.0


def test_a_sine_is_in_its_octave_at_its_level() -> None:
    sine = 0.5 * np.sin(2 * np.pi * 500 * np.arange(2 * RATE) / RATE).astype(np.float32)
    levels = spectrum(band_levels(np.stack([sine, sine])))
    assert int(np.argmax(levels)) == 3
    assert levels[3] == pytest.approx(10 * np.log10(0.5**2 / 2), abs=4)


def test_silence_has_no_loudness() -> None:
    assert integrated_loudness(np.zeros((2, RATE), np.float32)) == -np.inf
