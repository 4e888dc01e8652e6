"""Loops without a seam: the tail sounds at the start, and the sum of the stems stays the mix."""

from pathlib import Path

import numpy as np
import pytest

from shared.music import grid_samples
from tests.unit.worker.production.takes import RATE, made, read, recipe, stem, take
from worker.engine.interface import Samples
from worker.production.looping import wrap_tail
from worker.production.take import Take


def seam_steps(samples: Samples) -> tuple[float, float]:
    """The largest step across the seam, and the 99.9th percentile of the signal's own steps."""
    steps = np.abs(np.diff(samples, axis=0))
    return float(np.abs(samples[0] - samples[-1]).max()), float(np.percentile(steps, 99.9))


def test_a_tail_is_added_to_the_start_as_often_as_it_is_long() -> None:
    samples = np.arange(1, 12, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(wrap_tail(samples, 4)[:, 0], [1 + 5 + 9, 2 + 6 + 10, 3 + 7 + 11, 4 + 8])
    np.testing.assert_array_equal(wrap_tail(samples[:2], 4)[:, 0], [1, 2, 0, 0])


@pytest.mark.parametrize("sample_rate", [32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("bpm", [124.0, 97.3])
def test_a_score_loops_without_a_seam_and_its_stems_too(tmp_path: Path, sample_rate: int, bpm: float) -> None:
    """Notes that begin every half second do not end with the loop."""
    seconds = grid_samples(2, bpm, "4/4", 1_000_000) / 1e6
    wanted = recipe(
        bars=2, bpm=bpm, meter="4/4", loop=True, duration=seconds, sample_rate=sample_rate, sample_format="int24"
    )
    files = made(take(seconds + 2), wanted, tmp_path)
    mix, rate = read(tmp_path / "audio.wav")
    assert len(mix) == grid_samples(2, bpm, "4/4", sample_rate)
    # The take begins with the attack of a note, which is a step of its own.
    across, usual = seam_steps(mix.astype(np.float32))
    attack = np.abs(np.diff(mix[: round(0.01 * rate)], axis=0)).max()
    assert across <= max(usual, attack)
    stems = [output.name for output in files.outputs if output.kind == "stem"]
    total = np.sum([read(tmp_path / name)[0] for name in stems], axis=0)
    np.testing.assert_array_equal(total, mix)


def test_the_tail_sounds_at_the_start_at_its_own_level(tmp_path: Path) -> None:
    """A steady tone that ends half a loop after the loop's end is twice as loud where it overlaps itself."""
    seconds, frames = 2.0, 2 * RATE
    tone = (0.1 * np.sin(2 * np.pi * 440 * np.arange(frames * 3 // 2) / RATE)).astype(np.float32)[:, None]
    wanted = recipe(bars=1, bpm=120.0, meter="4/4", loop=True, duration=seconds, sample_format="float32")
    made(Take(audio=tone, sample_rate=RATE, has_score=True), wanted, tmp_path)
    samples, _ = read(tmp_path / "audio.wav")
    first, second = np.abs(samples[: RATE - 100]).max(), np.abs(samples[RATE + 100 :]).max()
    assert first == pytest.approx(2 * second, rel=1e-3)
    across, usual = seam_steps(samples.astype(np.float32))
    assert across <= usual


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
def test_other_audio_that_loops_is_resampled_as_a_loop(tmp_path: Path, sample_rate: int) -> None:
    """A whole number of periods: after resampling the loop still is one sine wave."""
    frequency, seconds = 441.0, 2.0
    tone = (0.5 * np.sin(2 * np.pi * frequency * np.arange(2 * RATE) / RATE)).astype(np.float32)[:, None]
    wanted = recipe(
        bars=1, bpm=120.0, meter="4/4", loop=True, duration=seconds, sample_rate=sample_rate, sample_format="float32"
    )
    made(Take(audio=tone, sample_rate=RATE), wanted, tmp_path)
    samples, rate = read(tmp_path / "audio.wav")
    expected = 0.5 * np.sin(2 * np.pi * frequency * np.arange(2 * rate) / rate)
    np.testing.assert_allclose(samples[:, 0], expected, atol=1e-5)


def test_a_stopped_loop_is_cut_without_a_tail(tmp_path: Path) -> None:
    part = stem(0, 1.0).samples
    wanted = recipe(bars=1, bpm=120.0, meter="4/4", loop=True, duration=2.0)
    made(Take(audio=part, sample_rate=RATE, has_score=True, is_whole=False), wanted, tmp_path)
    samples, _ = read(tmp_path / "audio.wav")
    assert len(samples) == RATE
    assert np.abs(samples[-1]).max() < 1e-3
