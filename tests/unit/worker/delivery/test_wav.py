"""The WAV encoder: header, sample formats, dither, level and reproducibility."""

import io
import struct
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from shared.messages import Recipe
from worker.delivery.encoded_files import make_audio_file
from worker.delivery.wav import encode_wav
from worker.engine.interface import Samples

RATE = 32_000


def sine(channels: int = 1, amplitude: float = 0.5, frames: int = RATE) -> Samples:
    wave = amplitude * np.sin(np.arange(frames) / 20)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def test_the_header_has_44_bytes() -> None:
    data = encode_wav(sine(channels=2, frames=1000), RATE, "int16", seed=1)
    riff, size, wave, fmt, length, code, channels, rate, byte_rate, align, bits, chunk, payload = struct.unpack(
        "<4sI4s4sIHHIIHH4sI", data[:44]
    )
    assert (riff, wave, fmt, chunk) == (b"RIFF", b"WAVE", b"fmt ", b"data")
    assert (length, code, channels, rate, bits) == (16, 1, 2, RATE, 16)
    assert (byte_rate, align) == (RATE * 4, 4)
    assert (size, payload) == (len(data) - 8, 4000)


@pytest.mark.parametrize("sample_format", ["int16", "int24", "float32"])
@pytest.mark.parametrize("channels", [1, 2])
def test_decoded_samples_equal_the_encoded_ones(sample_format: str, channels: int) -> None:
    samples = sine(channels)
    data = encode_wav(samples, RATE, sample_format, seed=1)  # type: ignore[arg-type]
    back, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    assert (rate, back.shape) == (RATE, samples.shape)
    tolerance = {"int16": 2.1 / 2**15, "int24": 1.0 / 2**23, "float32": 0.0}[sample_format]
    assert np.abs(back - samples).max() <= tolerance


def test_dither_makes_the_error_independent_of_a_quiet_signal() -> None:
    """Without dither, a level of a third of a step rounds to zero; with it, the mean keeps that level."""
    step = 1 / (2**15 - 1)
    samples = np.full((200_000, 1), step / 3, np.float32)
    back, _ = soundfile.read(io.BytesIO(encode_wav(samples, RATE, "int16", seed=1)), dtype="int16")
    assert back.mean() == pytest.approx(1 / 3, abs=0.02)
    assert set(np.unique(back)) <= {-1, 0, 1, 2}


def test_equal_seeds_give_equal_files_and_others_do_not() -> None:
    first, again, other = (encode_wav(sine(), RATE, "int16", seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("sample_format", ["int16", "int24", "float32"])
@pytest.mark.parametrize("frames", [0, 1, 120 * RATE])
def test_a_file_contains_no_timestamp(sample_format: str, frames: int) -> None:
    """libsndfile reads the C library's clock, which a test cannot set, so the test reads the PEAK chunk."""
    data = encode_wav(sine(frames=frames), RATE, sample_format, seed=1)  # type: ignore[arg-type]
    chunks = dict(chunks_of(data))
    assert set(chunks) == {b"fmt ", b"data"} | ({b"fact", b"PEAK"} if sample_format == "float32" else set())
    if sample_format == "float32":
        version, moment, peak, _ = struct.unpack("<IIfI", chunks[b"PEAK"])
        assert (version, moment) == (1, 0)
        assert peak == pytest.approx(np.abs(sine(frames=frames)).max(initial=0))
    assert len(chunks[b"data"]) == frames * {"int16": 2, "int24": 3, "float32": 4}[sample_format]


def chunks_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a RIFF file; asserts that they fill it."""
    place = 12
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        yield name, data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    assert place == len(data) == struct.unpack_from("<I", data, 4)[0] + 8


@pytest.mark.parametrize("sample_format", ["int16", "int24", "float32"])
def test_the_file_does_not_depend_on_how_samples_are_chunked(sample_format: str) -> None:
    recipe = Recipe(model="starter", prompt="tone", duration=1.0, seed=5, sample_format=sample_format)  # type: ignore[arg-type]
    samples = sine(channels=2)
    pieces = [samples[:1], samples[1:700], samples[700:]]
    whole, joined = make_audio_file([samples], RATE, recipe), make_audio_file(pieces, RATE, recipe)
    assert whole == joined


@pytest.mark.parametrize("sample_format", ["int16", "int24", "float32"])
def test_audio_above_full_scale_is_scaled_and_not_clipped(sample_format: str) -> None:
    data = encode_wav(sine(amplitude=3), RATE, sample_format, seed=1)  # type: ignore[arg-type]
    back, _ = soundfile.read(io.BytesIO(data))
    assert 0.999 < np.abs(back).max() <= 1.0
    # A clipped sine stays at the top for many samples in a row.
    assert np.count_nonzero(np.abs(back) > 0.9999) < len(back) * 0.02


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(bad: float) -> None:
    samples = sine()
    samples[17] = bad
    with pytest.raises(ValueError, match="not numbers"):
        encode_wav(samples, RATE, "int16", seed=1)


def test_no_samples_give_an_empty_but_valid_file() -> None:
    data = encode_wav(np.zeros((0, 1), np.float32), RATE, "int16", seed=1)
    assert soundfile.info(io.BytesIO(data)).frames == 0
