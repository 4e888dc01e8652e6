"""A job's samples as the file that is stored, with what describes it."""

import hashlib
import json
from typing import NamedTuple

import msgspec
import numpy as np

from shared.files import Audio
from shared.messages import Recipe
from shared.storage import Upload
from shared.version import VERSION
from worker.delivery.wav import encode_wav
from worker.engine.interface import Samples

# Object metadata is limited to 2 KB in all.
METADATA_LIMIT = 1800


class AudioFile(NamedTuple):
    """A WAV file in memory; `frames` long at `sample_rate` hertz."""

    data: bytes
    metadata: dict[str, str]
    sha256: str
    frames: int
    sample_rate: int
    channels: int

    def stored_as(self, upload: Upload) -> Audio:
        """The file's description in the job's record."""
        return Audio(
            key=upload.key,
            size=len(self.data),
            duration=round(self.frames / self.sample_rate, 6),
            sample_rate=self.sample_rate,
            channels=self.channels,
            sha256=self.sha256,
            s3_etag=upload.etag,
        )


def make_audio_file(chunks: list[Samples], sample_rate: int, recipe: Recipe) -> AudioFile:
    """Encode a job's audio.

    Args:
        chunks: at least one, float32 of shape [frames, channels].
        sample_rate: in hertz.
        recipe: what was asked for.

    Raises:
        ValueError: if a sample is not a finite number.
    """
    samples = np.concatenate(chunks)
    data = encode_wav(samples, sample_rate, recipe.sample_format, recipe.seed)
    checksum = hashlib.sha256(data).hexdigest()
    metadata = recipe_metadata(recipe) | {"sha256": checksum}
    return AudioFile(data, metadata, checksum, len(samples), sample_rate, samples.shape[1])


def recipe_metadata(recipe: Recipe) -> dict[str, str]:
    """The recipe as object metadata: ASCII, and without the prompt where that would exceed S3's limit."""
    fields = msgspec.to_builtins(recipe)
    text = _ascii_json(fields)
    if len(text) > METADATA_LIMIT:
        text = _ascii_json(fields | {"prompt": None})
    return {"recipe": text, "generator": f"tellurstori-musicgen {VERSION}"}


def _ascii_json(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))
