"""Resampling against the exact signal, and that it is linear."""

import numpy as np
import pytest

from worker.production.resample import resample

RATES = [(32_000, 44_100), (32_000, 48_000), (32_000, 96_000), (48_000, 44_100), (44_100, 96_000)]


def tone(rate: int, frequency: float = 997.0, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate))[:, None].astype(np.float32)


@pytest.mark.parametrize(("before", "after"), RATES)
def test_a_tone_stays_the_tone_without_a_delay(before: int, after: int) -> None:
    found = resample(tone(before), before, after)
    assert len(found) == after
    middle = slice(after // 10, -after // 10)
    np.testing.assert_allclose(found[middle], tone(after)[middle], atol=1e-5)


@pytest.mark.parametrize(("before", "after"), RATES)
@pytest.mark.parametrize("circular", [False, True])
def test_resampled_parts_sum_to_the_resampled_whole(before: int, after: int, circular: bool) -> None:
    parts = [tone(before, frequency) for frequency in (300.0, 1234.5, 7000.0)]
    whole = resample(np.sum(parts, axis=0), before, after, circular=circular)
    total = np.sum([resample(part, before, after, circular=circular) for part in parts], axis=0)
    np.testing.assert_allclose(total, whole, atol=1e-6)


@pytest.mark.parametrize(("before", "after"), RATES)
def test_a_loop_has_no_ends(before: int, after: int) -> None:
    found = resample(tone(before), before, after, circular=True)
    np.testing.assert_allclose(found, tone(after), atol=1e-5)


def test_a_loop_may_be_shorter_than_the_filter() -> None:
    found = resample(tone(32_000, 1000.0, 0.001), 32_000, 48_000, circular=True)
    np.testing.assert_allclose(found, tone(48_000, 1000.0, 0.001), atol=1e-5)
