from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage  # type: ignore[import-untyped]

from tests.unit.training.evaluation.pieces import heard, written
from training.evaluation.performance import Performance
from training.evaluation.sound_quality import (
    SoundMeasure,
    audible,
    band_levels,
    brightness,
    integrated_loudness,
    is_band,
    side_to_middle,
    spectrum,
)
from training.music import Spec, make_piece

RATE = 32_000
SPEC = Spec(genre="pop", bpm=120)


@pytest.fixture(scope="module")
def sound() -> SoundMeasure:
    pieces = [make_piece(seed) for seed in range(60)]
    return SoundMeasure([audible(heard(piece.spec, piece.score, 5.0).audio) for piece in pieces])


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


def test_pink_noise_has_no_brightness() -> None:
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal((2, 8 * RATE)))
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, spectrum.shape[1] + 1))).astype(np.float32)
    assert brightness(pink) == pytest.approx(0, abs=0.3)
    assert side_to_middle(pink) == pytest.approx(0, abs=1.5)


def test_a_band_in_mono_or_behind_a_curtain_is_noticed(sound: SoundMeasure) -> None:
    wide, bright = "band: side/mid -12 to -6 dB", "band: 8-16 kHz within 15 dB of pink"
    bands = (heard(piece.spec, piece.score, 10.0) for piece in map(make_piece, range(400, 500)))
    band = next(found for found in bands if is_band(found) and sound(found)[wide] == sound(found)[bright] == 1.0)
    mono = replace(band, audio=np.repeat(band.audio.mean(0, keepdims=True), 2, 0))
    dull = replace(band, audio=scipy.ndimage.uniform_filter1d(band.audio, 24, axis=1))
    assert sound(mono)[wide] == 0.0
    assert sound(dull)[bright] == 0.0
