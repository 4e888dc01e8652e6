"""The limiter's gain never lets a peak through, and moves smoothly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.production.limiter import LOOK_AHEAD, limiter_gains
from worker.production.loudness import PEAK_BLOCK
from worker.production.mastering import Level

RATE = 48_000


@given(st.lists(st.floats(0, 30), min_size=1, max_size=400), st.sampled_from([80.0, 2000.0]))
def test_no_block_and_no_gain_between_blocks_exceeds_the_ceiling(peaks: list[float], release: float) -> None:
    found = np.array(peaks, np.float32)
    gains = limiter_gains(found, 0.9, RATE, release)
    assert gains.shape == found.shape
    level = np.ones((len(peaks) * PEAK_BLOCK, 1), np.float32)
    Level(1.0, gains).apply(level)
    assert (level[:, 0] * np.repeat(found, PEAK_BLOCK)).max() <= 0.9 * (1 + 1e-5)
    assert level.max() <= 1


def test_the_gain_falls_before_a_peak_and_rises_slowly_after_it() -> None:
    peaks = np.full(3000, 0.5, np.float32)
    peaks[1000] = 2
    gains = limiter_gains(peaks, 1.0, RATE, 80.0)
    ahead = round(LOOK_AHEAD * RATE / PEAK_BLOCK)
    assert gains[1000] == pytest.approx(0.5, abs=0.01)
    assert (gains[: 1000 - 2 * ahead] == 1).all()
    # Six decibels at 80 decibels per second take 75 ms.
    recovered = np.flatnonzero(gains[1000:] > 0.999)[0] * PEAK_BLOCK / RATE
    assert recovered == pytest.approx(0.075, abs=2 * LOOK_AHEAD)
    assert np.abs(np.diff(gains)).max() < 0.1


def test_quiet_audio_is_left_alone() -> None:
    assert (limiter_gains(np.full(100, 0.9, np.float32), 0.9, RATE, 80.0) == 1).all()
