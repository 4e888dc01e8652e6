"""Meters against the signals that the standards define, and against scipy."""

import numpy as np
import pyloudnorm
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly  # type: ignore[import-untyped]

from worker.production.limiter import limiter_gains
from worker.production.loudness import (
    PEAK_BLOCK,
    SEGMENT,
    WeightedEnergy,
    block_peaks,
    decibels,
    integrated_lufs,
    true_peak,
)
from worker.production.mastering import Level


@pytest.mark.parametrize("sample_rate", [32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_the_tones_of_ebu_tech_3341(sample_rate: int, level: float) -> None:
    """Cases 1 and 2: a stereo sine of 1 kHz with this level in each channel has this loudness, within 0.1 LU."""
    tone = 10 ** (level / 20) * np.sin(2 * np.pi * 1000 * np.arange(20 * sample_rate) / sample_rate)
    samples = np.repeat(tone[:, None], 2, axis=1).astype(np.float32)
    assert integrated_lufs(samples, sample_rate) == pytest.approx(level, abs=0.1)


def pulses(sample_rate: int) -> NDArray[np.float32]:
    """Ten seconds of decaying noise, twice a second, and silence that the gates leave out."""
    time = np.arange(10 * sample_rate) / sample_rate
    noise = np.random.default_rng(1).standard_normal((len(time), 2))
    return np.asarray(noise * (np.exp(-8 * (time % 0.5)) * (time < 7))[:, None] * 0.3, np.float32)


@pytest.mark.parametrize("sample_rate", [32_000, 44_100, 48_000, 96_000])
def test_the_loudness_is_that_of_pyloudnorm(sample_rate: int) -> None:
    samples = pulses(sample_rate)
    other = pyloudnorm.Meter(sample_rate).integrated_loudness(samples)
    assert integrated_lufs(samples, sample_rate) == pytest.approx(other, abs=0.001)


@pytest.mark.parametrize("release", [80.0, 2000.0])
def test_the_loudness_under_a_limiter_is_known_without_applying_it(release: float) -> None:
    samples = pulses(44_100)
    gains = limiter_gains(block_peaks(samples, 44_100), 0.1, 44_100, release)
    limited = samples.copy()
    Level(1.0, gains).apply(limited)
    assert gains.min() < 0.2
    other = pyloudnorm.Meter(44_100).integrated_loudness(limited)
    assert WeightedEnergy(samples, 44_100).lufs(gains) == pytest.approx(other, abs=0.1)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
def test_a_sine_between_the_samples_has_its_true_peak(sample_rate: int) -> None:
    """EBU Tech 3341, cases 15 to 19: a sine of a quarter of the sample rate, sampled at 45 degrees off its peaks."""
    phase = 2 * np.pi * np.arange(sample_rate) / 4 + np.pi / 4
    samples = (0.5 * np.sin(phase))[:, None].astype(np.float32)
    assert np.abs(samples).max() == pytest.approx(0.5 / np.sqrt(2), abs=1e-6)
    inside = samples * np.hanning(len(samples))[:, None].astype(np.float32)
    assert decibels(true_peak(inside, sample_rate)) == pytest.approx(-6.02, abs=0.2)


@pytest.mark.parametrize("frames", [1, PEAK_BLOCK, SEGMENT - 1, SEGMENT + 1, 2 * SEGMENT + 37])
def test_peaks_equal_those_of_scipy(frames: int) -> None:
    """Of a signal without the highest frequencies, for which all filters are alike."""
    noise = np.random.default_rng(1).standard_normal((frames // 2 + 1, 2))
    samples = resample_poly(noise, 2, 1, axis=0)[:frames].astype(np.float32)
    peaks = block_peaks(samples, 48_000)
    assert len(peaks) == -(-frames // PEAK_BLOCK)
    reference = np.abs(resample_poly(samples.astype(np.float64), 4, 1, axis=0)).max(axis=1)
    expected = np.maximum.reduceat(reference, np.arange(0, len(reference), 4 * PEAK_BLOCK))[: len(peaks)]
    # The filters differ at the ends, which are cut.
    inner = slice(8, -8)
    np.testing.assert_allclose(peaks[inner], expected[inner], rtol=0.03, atol=0.02)


def test_silence_has_no_loudness() -> None:
    assert integrated_lufs(np.zeros((48_000, 2), np.float32), 48_000) is None
    assert integrated_lufs(np.zeros((0, 2), np.float32), 48_000) is None


@pytest.mark.parametrize("frames", [100, 4_801, 19_199, 19_200])
def test_short_audio_is_measured_as_one_block(frames: int) -> None:
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000)
    long, short = (tone[:count, None].astype(np.float32) for count in (48_000, frames))
    found = integrated_lufs(short, 48_000)
    assert found is not None
    assert found == pytest.approx(integrated_lufs(long, 48_000), abs=1.0)
