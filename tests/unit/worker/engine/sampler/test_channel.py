from itertools import pairwise

import numpy as np
import pytest

from worker.engine.sampler.air import Air
from worker.engine.sampler.bank import Rendering, glide
from worker.engine.sampler.channel import Channel
from worker.engine.sampler.ducking import RECOVERY, Ducking
from worker.engine.sampler.echo import Echo
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Hits, Note

RATE = 32_000
BOUNDS = [0, 1, 1, 200, 9000, 20_000, RATE]


def click(samples: int = RATE) -> np.ndarray:
    sound = np.zeros((2, samples), np.float32)
    sound[:, 0] = 1
    return sound


@pytest.mark.parametrize(("hertz", "decibels"), [(500, 0.2), (2000, 2.0), (4000, 5.0), (8000, 9.3), (12_000, 11.4)])
def test_air_raises_the_highs_at_once(hertz: int, decibels: float) -> None:
    air = Air()
    air.follow(3.0)
    sine = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    raised = np.concatenate([air.push(np.stack([sine, sine])[:, a:b]) for a, b in pairwise(BOUNDS)], axis=1)
    assert 20 * np.log10(np.std(raised[0, 100:]) / np.std(sine[100:])) == pytest.approx(decibels, abs=0.1)
    assert Air().push(click())[0, 0] == 1


def test_echoes_come_in_time_left_and_right_in_turn() -> None:
    echo = Echo()
    echo.push(click(100))
    echo.follow(0.5, 4000)
    echo.push(np.zeros((2, 10), np.float32))
    left, right = echo.push(click())
    assert np.flatnonzero(left).tolist() == [0, 4000, 12_000, 20_000, 28_000]
    assert np.flatnonzero(right).tolist() == [0, 8000, 16_000, 24_000]
    assert left[4000] == pytest.approx(0.5)
    assert right[8000] / left[4000] == pytest.approx(0.35)


def test_echoes_to_come_are_known_and_fade_after_the_end() -> None:
    echo = Echo()
    echo.follow(0.5, 4000)
    echo.push(np.zeros((2, 10), np.float32))
    echo.push(click(2000))
    assert echo.loudest == pytest.approx(0.5)
    echo.end()
    echo.push(np.zeros((2, 4000), np.float32))
    assert echo.loudest == pytest.approx(0.05)


def test_a_kick_lowers_a_stream_at_once_and_for_a_moment() -> None:
    ducking = Ducking(0.6)
    ducking.add(5000)
    level = ducking.push(np.ones((2, RATE), np.float32))[0]
    assert level[:5000].min() == 1
    assert level[5000:5200].min() == pytest.approx(0.4, abs=0.01)
    assert level[5000 + RECOVERY :].min() == 1
    assert np.abs(np.diff(level)).max() < 0.01


def test_blocks_of_any_length_make_the_same_sound() -> None:
    def ready() -> Channel:
        channel = Channel(Stream.ARPEGGIO)
        channel.follow(Note("synthesizer", 60), 3000)
        channel.ducking.add(700)
        channel.push(np.zeros((2, 10), np.float32))
        return channel

    dry, channel = np.random.default_rng(1).standard_normal((2, RATE)).astype(np.float32), ready()
    blocks = [channel.push(dry[:, a:b]) for a, b in pairwise(BOUNDS)]
    np.testing.assert_allclose(np.concatenate(blocks, 1), ready().push(dry), atol=1e-5)


def test_instruments_and_kits_choose_the_room() -> None:
    channel, drums = Channel(Stream.LEAD), Channel(Stream.PERCUSSION)
    channel.follow(Note("violin", 60), 4000)
    drums.follow(Hits("congas", frozenset({"high_conga"})), 4000)
    assert channel.sends[0] == 0 < channel.sends[1]
    assert drums.sends[1] == 0 < drums.sends[0]


@pytest.mark.parametrize("semitones", [-7, 5])
def test_a_glide_begins_at_the_other_pitch_and_ends_at_its_own(semitones: int) -> None:
    tone = Rendering(np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE).astype(np.float32), 16_000)
    sound = glide(tone, semitones)
    crossings = np.flatnonzero(np.diff(np.signbit(sound.audio)))
    first, late = RATE / np.diff(crossings)[:3].mean() / 2, RATE / np.diff(crossings)[60:].mean() / 2
    assert first == pytest.approx(200 * 2 ** (semitones / 12), rel=0.1)
    assert late == pytest.approx(200, rel=0.01)
    assert sound.loop is not None
    assert len(sound.audio) - sound.loop == 16_000
