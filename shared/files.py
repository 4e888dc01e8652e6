"""A job's files in the store: their descriptions, object keys and download paths."""

from typing import Literal

import msgspec

SampleFormat = Literal["int16", "int24", "float32"]
# Outputs a request can ask for in addition to the audio: the score as a MIDI file, and each stem as a WAV file.
OutputKind = Literal["midi", "stems"]
OUTPUT_KINDS: tuple[OutputKind, ...] = ("midi", "stems")


class Audio(msgspec.Struct, frozen=True, kw_only=True):
    """A stored audio file. `duration` is in seconds, `size` in bytes, `sha256` of the whole file in hex.

    `s3_etag` is the ETag that the store returned for the upload; None in records of earlier versions.
    """

    key: str
    size: int
    duration: float
    sample_rate: int
    channels: int
    sha256: str
    s3_etag: str | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file in addition to the audio. `size`, `sha256` and `s3_etag` are as in `Audio`."""

    kind: Literal["midi", "stem"]
    name: str
    key: str
    size: int
    sha256: str
    s3_etag: str | None = None

    @property
    def content_type(self) -> str:
        return "audio/midi" if self.kind == "midi" else "audio/wav"


class OutputLink(msgspec.Struct, frozen=True, kw_only=True):
    """An output as clients see it: `download_url` is a path on the gateway, `size` is in bytes."""

    kind: Literal["midi", "stem"]
    name: str
    size: int
    download_url: str


# The prefix of all jobs' files.
ALL_JOBS_PREFIX = "jobs/"


def audio_key(job_id: str) -> str:
    """The object key of a job's audio. Callers check the job id first."""
    return f"{job_prefix(job_id)}audio.wav"


def output_key(job_id: str, name: str) -> str:
    """The object key of an output, under the same prefix as the audio."""
    return f"{job_prefix(job_id)}{name}"


def job_prefix(job_id: str) -> str:
    """The prefix of all files of a job."""
    return f"{ALL_JOBS_PREFIX}{job_id}/"


def audio_url(job_id: str) -> str:
    """The path on the gateway that serves a finished job's audio."""
    return f"/api/v1/download/{job_id}"
