"""Encodes what a job generated as the files that are stored, with their metadata."""

import hashlib
import json
from typing import NamedTuple

import msgspec
import numpy as np

from shared.files import Audio, Output, output_key
from shared.messages import Recipe
from shared.storage import Upload
from shared.version import VERSION
from worker.delivery.wav import encode_wav
from worker.engine.host.engine_job import EngineJob
from worker.engine.interface import Samples

# S3 limits the metadata of an object to 2 KB in total.
METADATA_LIMIT = 1800


class AudioFile(NamedTuple):
    """A WAV file in memory, `frames` long at `sample_rate` hertz."""

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


class OutputFile(NamedTuple):
    """A file in memory, and its description in the job's record."""

    output: Output
    data: bytes
    metadata: dict[str, str]


class EncodedFiles(NamedTuple):
    """All files of a job, the seconds that it took to make them, and the engine's warnings."""

    audio: AudioFile
    outputs: list[OutputFile]
    generating: float
    encoding: float
    warnings: tuple[str, ...] = ()


def make_audio_file(chunks: list[Samples], sample_rate: int, recipe: Recipe) -> AudioFile:
    """Encode a job's audio.

    Args:
        chunks: at least one, float32 of shape [frames, channels].
        sample_rate: in hertz.
        recipe: of the job.

    Raises:
        ValueError: if a sample is not a finite number.
    """
    samples = np.concatenate(chunks)
    data = encode_wav(samples, sample_rate, recipe.sample_format, recipe.seed)
    checksum = hashlib.sha256(data).hexdigest()
    metadata = recipe_metadata(recipe) | {"sha256": checksum}
    return AudioFile(data, metadata, checksum, len(samples), sample_rate, samples.shape[1])


def make_output_files(job_id: str, engine_job: EngineJob, sample_rate: int, recipe: Recipe) -> list[OutputFile]:
    """Encode a job's outputs: MIDI unchanged, stems like the audio.

    Args:
        job_id: of the job.
        engine_job: all of its outputs have arrived.
        sample_rate: of the stems, in hertz.
        recipe: of the job.

    Raises:
        ValueError: if a sample is not a finite number.
    """
    files = [] if engine_job.midi is None else [_midi_file(job_id, engine_job.midi, recipe)]
    for stem, chunks in engine_job.stems.items():
        name, file = f"{stem}.wav", make_audio_file(chunks, sample_rate, recipe)
        key = output_key(job_id, name)
        output = Output(kind="stem", name=name, key=key, size=len(file.data), sha256=file.sha256)
        files.append(OutputFile(output, file.data, file.metadata))
    return files


def _midi_file(job_id: str, data: bytes, recipe: Recipe) -> OutputFile:
    name, checksum = "audio.mid", hashlib.sha256(data).hexdigest()
    output = Output(kind="midi", name=name, key=output_key(job_id, name), size=len(data), sha256=checksum)
    return OutputFile(output, data, recipe_metadata(recipe) | {"sha256": checksum})


def recipe_metadata(recipe: Recipe) -> dict[str, str]:
    """The recipe as object metadata: ASCII, without the prompt if that would exceed S3's limit."""
    fields = msgspec.to_builtins(recipe)
    text = _ascii_json(fields)
    if len(text) > METADATA_LIMIT:
        text = _ascii_json(fields | {"prompt": None})
    return {"recipe": text, "generator": f"tellurstori-musicgen {VERSION}"}


def _ascii_json(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))
