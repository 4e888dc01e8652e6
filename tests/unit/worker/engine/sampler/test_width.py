from itertools import pairwise

import numpy as np
import pytest

from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.width import Widener, side_gain, with_sides

RATE = 32_000


def noise(seconds: float = 1.0) -> np.ndarray:
    sound = np.random.default_rng(1).standard_normal(round(seconds * RATE)).astype(np.float32)
    return np.stack([sound, sound])


def decibels(sound: np.ndarray, reference: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(sound**2) / np.sum(reference**2)))


@pytest.mark.parametrize("width", [0.3, 0.6])
def test_a_stream_becomes_wide_and_is_unchanged_in_mono(width: float) -> None:
    dry = noise()
    left, right = Widener(width).push(dry)
    np.testing.assert_allclose((left + right) / 2, dry[0], atol=1e-5)
    assert -16 < decibels(left - right, left + right) < -3


def test_low_frequencies_stay_in_the_middle() -> None:
    sine = np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE).astype(np.float32)
    left, right = Widener(0.4).push(np.stack([sine, sine]))
    assert decibels(left - right, left + right) < -20


def test_without_a_width_nothing_changes() -> None:
    assert np.array_equal(Widener(0.0).push(noise()), noise())


def test_blocks_of_any_length_make_the_same_sound() -> None:
    dry, channel = noise(), Widener(0.45)
    bounds = [0, 1, 1, 200, 1500, 20_000, RATE]
    blocks = [channel.push(dry[:, a:b]) for a, b in pairwise(bounds)]
    np.testing.assert_allclose(np.concatenate(blocks, 1), Widener(0.45).push(dry), atol=1e-5)


def test_sides_change_and_mono_does_not() -> None:
    sound = np.random.default_rng(2).standard_normal((2, RATE)).astype(np.float32)
    left, right = with_sides(sound, 0.5)
    np.testing.assert_allclose(left + right, sound.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(left - right, (sound[0] - sound[1]) / 2, atol=1e-5)


def test_what_leaves_the_middle_empty_has_quieter_sides() -> None:
    ensembles = ([Stream.CHORDS, Stream.PAD], [Stream.BASS], [Stream.DRUMS])
    gains = [side_gain([stream for part in ensembles[: count + 1] for stream in part]) for count in range(3)]
    assert gains == sorted(gains)
    assert gains[0] < 0.7 < gains[-1]


@pytest.mark.parametrize("wide", [[Stream.CHORDS], [Stream.CHORDS, Stream.PAD]])
def test_percussion_fills_the_middle_less_than_drums(wide: list[Stream]) -> None:
    assert side_gain([*wide, Stream.PERCUSSION]) < side_gain([*wide, Stream.DRUMS])


def test_a_melody_alone_is_left_as_it_is() -> None:
    assert side_gain([Stream.LEAD]) == 1.0
