"""Rounds audio to the samples of a file, so that the integers of the stems sum exactly to those of the mix."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from shared.files import LOSSLESS, AudioFormat, SampleFormat
from worker.engine.interface import Samples

FULL_SCALE = {"int16": 2**15, "int24": 2**23}
# Frames that are processed at a time.
BLOCK = 65_536


def file_samples(audio_format: AudioFormat, sample_format: SampleFormat) -> SampleFormat:
    """The samples that a format gets: encoders of lossy formats take floats, and FLAC has none."""
    if audio_format not in LOSSLESS:
        return "float32"
    return "int24" if audio_format == "flac" and sample_format == "float32" else sample_format


def quantize(samples: Samples, sample_format: SampleFormat, seed: tuple[int, ...]) -> NDArray[np.generic]:
    """Round samples for a file.

    16-bit samples get triangular dither of one step (Lipshitz, Wannamaker, Vanderkooy 1992), drawn from `seed`, so
    that the same recipe always gives the same file. Integers beyond full scale are kept: see `fits`.

    Args:
        samples: float32 of shape [frames, channels], full scale at ±1.
        sample_format: of the result.
        seed: of the dither.

    Returns:
        int32 of shape [frames, channels], full scale at `FULL_SCALE`; or `samples` itself for float32.
    """
    if sample_format == "float32":
        return samples
    noise = np.random.default_rng(seed)
    steps = np.empty(samples.shape, np.int32)
    for start in range(0, len(samples), BLOCK):
        part = samples[start : start + BLOCK].astype(np.float64) * FULL_SCALE[sample_format]
        if sample_format == "int16":
            part += noise.random(part.shape, np.float32)
            part -= noise.random(part.shape, np.float32)
        steps[start : start + BLOCK] = np.rint(part)
    return steps


def restore(steps: NDArray[np.generic], samples: Samples, sample_format: SampleFormat, kept: Iterable[range]) -> None:
    """Undo the dither of frames that came from such a file, so that they have its samples again; in place.

    Args:
        steps: as `quantize` returns them.
        samples: what it was given.
        sample_format: of the file.
        kept: the frames.
    """
    if sample_format == "float32":
        return
    for frames in kept:
        part = slice(frames.start, frames.stop)
        steps[part] = np.rint(samples[part].astype(np.float64) * FULL_SCALE[sample_format])


def fits(samples: NDArray[np.generic], sample_format: SampleFormat) -> bool:
    """Whether no sample is beyond full scale."""
    full = FULL_SCALE.get(sample_format)
    low, high = (-1.0, 1.0) if full is None else (-full, full - 1)
    return bool(np.min(samples, initial=0) >= low and np.max(samples, initial=0) <= high)


def as_floats(samples: NDArray[np.generic], sample_format: SampleFormat) -> Samples:
    """Samples as readers decode them: float32, full scale at ±1."""
    if sample_format == "float32":
        return np.asarray(samples, np.float32)
    return samples.astype(np.float32) / np.float32(FULL_SCALE[sample_format])


def for_writing(samples: NDArray[np.generic], sample_format: SampleFormat) -> NDArray[np.generic]:
    """The same values in the type that `write_audio` takes for the sample format."""
    return samples.astype(np.int16) if sample_format == "int16" else samples
