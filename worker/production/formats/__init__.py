"""Audio files that say what they are: WAV, FLAC, Ogg Vorbis and MP3 with tempo, key, sections and the recipe."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.files import AudioFormat
from worker.production.formats.read import NoRecipeError, read_recipe
from worker.production.formats.riff import write_wav
from worker.production.formats.tags import Tags, tags_for

__all__ = ["NoRecipeError", "Tags", "read_recipe", "tags_for", "write_audio"]


def write_audio(
    path: Path, samples: NDArray[np.generic], sample_rate: int, audio_format: AudioFormat, tags: Tags
) -> None:
    """Write an audio file. Equal samples and tags give equal bytes.

    Args:
        path: of the file, which is replaced.
        samples: of shape [frames, channels], one or two channels: int16, int32 holding 24-bit integers, or float32
            with full scale at ±1. WAV and FLAC keep them exactly.
        sample_rate: in hertz.
        audio_format: of the file.
        tags: what the file says.

    Raises:
        ValueError: if there is no audio, the format has no such samples, channels or sample rate, or the file would be
            too large.
    """
    if not len(samples):
        raise ValueError("There is no audio to write.")
    if audio_format == "wav":
        write_wav(path, samples, sample_rate, tags)
        return
    # FFmpeg and libsndfile take a tenth of a second to load.
    from worker.production.formats.compressed import write_flac, write_mp3, write_ogg

    {"flac": write_flac, "ogg": write_ogg, "mp3": write_mp3}[audio_format](path, samples, sample_rate, tags)
