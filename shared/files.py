"""The files that a job leaves: what is told of them, and where they are."""

from typing import Literal

import msgspec

SampleFormat = Literal["int16", "int24", "float32"]
# What a request may have beside the audio: the score as a MIDI file, and each of its streams as a WAV file.
OutputKind = Literal["midi", "stems"]
OUTPUT_KINDS: tuple[OutputKind, ...] = ("midi", "stems")


class Audio(msgspec.Struct, frozen=True, kw_only=True):
    """A stored result. `duration` is in seconds, `size` in bytes, `sha256` of the whole file in hex.

    `s3_etag` is what the store answered to the upload; None in records of earlier versions.
    """

    key: str
    size: int
    duration: float
    sample_rate: int
    channels: int
    sha256: str
    s3_etag: str | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was stored beside the audio. `size`, `sha256` and `s3_etag` as those of the audio."""

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
    """What a client sees of an output: `download_url` is a path of the gateway, `size` in bytes."""

    kind: Literal["midi", "stem"]
    name: str
    size: int
    download_url: str


# Below this prefix lies what all jobs made.
ALL_JOBS_PREFIX = "jobs/"


def audio_key(job_id: str) -> str:
    """The object's key: made from the job id alone, which is checked before it gets here."""
    return f"{job_prefix(job_id)}audio.wav"


def output_key(job_id: str, name: str) -> str:
    """The key of an output, next to the audio's."""
    return f"{job_prefix(job_id)}{name}"


def job_prefix(job_id: str) -> str:
    """Below this prefix lies everything that a job made."""
    return f"{ALL_JOBS_PREFIX}{job_id}/"


def audio_url(job_id: str) -> str:
    """The gateway's path from which a finished job is downloaded."""
    return f"/api/v1/download/{job_id}"
