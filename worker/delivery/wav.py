"""Encodes samples as a WAV file in memory."""

import io
import struct

import numpy as np
import soundfile
from numpy.typing import NDArray

from shared.files import SampleFormat
from worker.engine.interface import Samples

_SUBTYPES = {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"}


def encode_wav(samples: Samples, sample_rate: int, sample_format: SampleFormat, seed: int) -> bytes:
    """A RIFF WAVE file.

    16-bit samples get triangular dither of one step (Lipshitz, Wannamaker, Vanderkooy 1992), drawn from
    `seed`, so that the same recipe always gives the same file. Audio above full scale is scaled down, not clipped.

    Args:
        samples: float32 of shape [frames, channels], full scale at ±1.
        sample_rate: in hertz.
        sample_format: of the file.
        seed: of the dither.

    Raises:
        ValueError: if a sample is not a finite number.
    """
    peak = float(np.max(np.abs(samples), initial=0.0))
    if not np.isfinite(peak):
        raise ValueError("The model produced samples that are not numbers. Try another seed or a lower cfg_coef.")
    if peak > 1.0:
        samples = samples / np.float32(peak)
    file = io.BytesIO()
    soundfile.write(file, _quantize(samples, sample_format, seed), sample_rate, _SUBTYPES[sample_format], format="WAV")
    return _without_time(file.getvalue())


def _without_time(data: bytes) -> bytes:
    """Clear the timestamp that libsndfile writes into the PEAK chunk of float files.

    The chunk holds a version, the time in seconds since 1970, and then each channel's peak and its position.
    """
    place = 12  # after RIFF, the size and WAVE
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        if name == b"PEAK":
            return data[: place + 12] + bytes(4) + data[place + 16 :]
        if name == b"data":
            break
        place += 8 + size + size % 2
    return data


def _quantize(samples: Samples, sample_format: SampleFormat, seed: int) -> NDArray[np.generic]:
    if sample_format == "float32":
        return samples
    if sample_format == "int24":
        # libsndfile reads 24-bit samples from the upper bits of 32.
        steps = np.rint(samples.astype(np.float64) * (2**23 - 1)).astype(np.int32)
        return np.left_shift(steps, 8)
    noise = np.random.default_rng(seed)
    dither = noise.random(samples.shape, np.float32) - noise.random(samples.shape, np.float32)
    steps = np.rint(samples * np.float32(2**15 - 1) + dither)
    return np.clip(steps, -(2**15), 2**15 - 1).astype(np.int16)
