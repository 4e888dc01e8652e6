"""The meters of the benchmark find what they look for, in signals whose faults are known."""

import numpy as np
import pytest

from bench import grid_meters as meters
from bench.grid_takes import RATE, drum_pattern


def drums(bpm: float, offset: float = 0.0) -> meters.Floats:
    return drum_pattern(3, bpm, 4, 12.0, clicks=False, offset=offset).astype(np.float64)


def test_the_true_peak_is_found_between_the_samples() -> None:
    # At a quarter of the rate and 45°, every sample is at 0.707 of the peak.
    wave = np.sin(np.arange(4000) * np.pi / 2 + np.pi / 4)[:, None] * np.hanning(4000)[:, None]
    assert np.abs(wave).max() < 0.708
    assert meters.true_peak(wave) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("error", [-0.01, -0.003, -0.001, 0.0, 0.001, 0.003, 0.01])
def test_drift_is_how_much_slower_the_audio_is(error: float) -> None:
    assert meters.drift(drums(120 / (1 + error)), drums(120), RATE) == pytest.approx(error, abs=3e-4)


@pytest.mark.parametrize("error", [-0.04, -0.02, 0.02, 0.04])
def test_more_drift_than_can_be_measured_is_infinite(error: float) -> None:
    assert meters.drift(drums(120 / (1 + error)), drums(120), RATE) == float("inf")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.4])
def test_the_delay_is_that_of_the_bar(share: float) -> None:
    found = meters.delay(drums(120, share), drums(120), RATE, reach=1.0)
    assert found == pytest.approx(-2 * share, abs=0.002)


@pytest.mark.parametrize("place", [0.0, 1.317, 4.0])
def test_the_start_is_found_at_any_place(place: float) -> None:
    piece = np.concatenate([drums(120)[: 4 * RATE], drums(97)[: 4 * RATE]])
    excerpt = 0.1 * piece[round(place * RATE) : round((place + 3) * RATE)]
    assert meters.find_start(excerpt, piece, RATE) == pytest.approx(place, abs=0.002)


def test_the_ripple_of_a_sustained_sound_has_no_onsets() -> None:
    noise = np.random.default_rng(1).standard_normal((4 * RATE, 1)) * 0.1
    assert meters.onsets(meters.onset_envelope(noise, RATE)[50:-50]) == []
    hit = drums(120)[:RATE]
    noise[RATE : 2 * RATE] += hit
    (time, _), *_ = meters.onsets(meters.onset_envelope(noise, RATE)[50:-50])
    assert time == pytest.approx(0.95, abs=0.01)


def test_an_onset_that_a_fade_took_is_lost() -> None:
    loop = drums(120)[: 4 * RATE]
    faded = loop.copy()
    faded[: RATE // 20] *= 0.02
    assert meters.lost_onsets(loop, drums(120), RATE) == 0
    assert meters.lost_onsets(0.25 * loop, drums(120), RATE) == 0
    assert meters.lost_onsets(loop, drums(120, 0.5), RATE, first=RATE) == 0
    assert meters.lost_onsets(faded, drums(120), RATE) == 1


def test_a_step_at_the_seam_is_larger_than_the_steps_within() -> None:
    times = np.arange(RATE) / RATE
    seamless, cut = (np.sin(2 * np.pi * frequency * times)[:, None] for frequency in (100.0, 100.25))
    across, within = meters.seam_step(seamless)
    assert across <= within
    across, within = meters.seam_step(cut)
    assert across > 10 * within


def test_the_first_sound_is_where_silence_ends() -> None:
    sound = np.concatenate([np.zeros((64, 2)), 0.5 * np.ones((3000, 2))])
    assert meters.first_sound(sound, RATE) == pytest.approx(0.002)
