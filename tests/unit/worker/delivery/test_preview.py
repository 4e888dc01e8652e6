"""The level of live audio, and that it does not depend on the chunks."""

import numpy as np
import pyloudnorm
import pytest
import torch

from tests.unit.worker.engine.sampler.songs import ELECTRO, JAZZ, METAL, POP, song
from worker.delivery.preview import Preview
from worker.engine.interface import Samples
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import encode
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Chord, Event, Header, Quality, Score, Section

RATE = 32_000


def mix(score: Score) -> Samples:
    return SamplerCodec().stream().push(torch.from_numpy(encode(score)), last=True).numpy().T


def preview(samples: Samples, *, pieces: int = 1, fades: bool = False) -> Samples:
    made = Preview(RATE, samples.shape[1], len(samples), fades=fades)
    return np.concatenate([*(made.push(piece) for piece in np.array_split(samples, pieces)), made.finish()])


def loudness(samples: Samples) -> float:
    return float(pyloudnorm.Meter(RATE).integrated_loudness(samples.astype(np.float64)))


@pytest.mark.parametrize("header", [Header(80, 3, 1), Header(126), Header(180, 4, 2)])
@pytest.mark.parametrize("band", [POP, ELECTRO, JAZZ, METAL])
def test_a_full_arrangement_is_as_loud_as_others_and_does_not_clip(header: Header, band: tuple[str, ...]) -> None:
    live = preview(mix(song(header, band)))
    assert np.abs(live).max() <= 0.98
    assert loudness(live) == pytest.approx(-14, abs=2)


def test_a_soloist_is_as_loud_as_a_band() -> None:
    chords: dict[int, Event] = {step: Chord("piano", 5, Quality.MAJOR7) for step in range(0, 128, 8)}
    score = Score(Header(), (Section.VERSE,) * 8, 128, {Stream.CHORDS: chords})
    assert loudness(preview(mix(score))) == pytest.approx(-14.5, abs=2)


def test_the_audio_does_not_depend_on_the_chunks_after_the_first_step() -> None:
    samples = mix(song(Header(120), POP, 2))
    first, made = 4096, Preview(RATE, 2, len(samples), fades=False)
    pieces = [made.push(samples[:first]), *(made.push(piece) for piece in np.array_split(samples[first:], 17))]
    other = Preview(RATE, 2, len(samples), fades=False)
    whole = np.concatenate([other.push(samples[:first]), other.push(samples[first:]), other.finish()])
    np.testing.assert_allclose(np.concatenate([*pieces, made.finish()]), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_it_is_as_long_as_the_take_and_fades_out_if_the_file_does(channels: int) -> None:
    samples = np.full((RATE, channels), 0.1, np.float32)
    faded, plain = preview(samples, fades=True), preview(samples)
    assert faded.shape == plain.shape == samples.shape
    fade = round(0.4 * RATE)
    np.testing.assert_array_equal(faded[:-fade], plain[:-fade])
    assert np.abs(faded[-100:]).max() < 1e-3 * np.abs(plain[-100:]).max()


def test_what_sounds_after_the_end_is_dropped() -> None:
    made = Preview(RATE, 1, 1000, fades=False)
    assert len(made.push(np.ones((5000, 1), np.float32))) + len(made.finish()) == 1000
