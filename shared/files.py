"""A job's files in the store: their descriptions, object keys and download paths."""

from typing import Literal

import msgspec

SampleFormat = Literal["int16", "int24", "float32"]
AudioFormat = Literal["wav", "flac", "ogg", "mp3"]
LOSSLESS: tuple[AudioFormat, ...] = ("wav", "flac")
SAMPLE_RATES = (44_100, 48_000, 96_000)
# Outputs a request can ask for in addition to the audio: the score as a MIDI file, and each stem as a WAV file.
OutputKind = Literal["midi", "stems"]
OUTPUT_KINDS: tuple[OutputKind, ...] = ("midi", "stems")


OutputFileKind = Literal["midi", "stem", "project", "peaks", "waveform"]

# Content types by file extension.
_CONTENT_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "mid": "audio/midi",
    "json": "application/json",
    "svg": "image/svg+xml",
    "dawproject": "application/vnd.dawproject",
    "zip": "application/zip",
}


def content_type(name: str) -> str:
    """The content type of a stored file, by its extension."""
    return _CONTENT_TYPES.get(name.rpartition(".")[2], "application/octet-stream")


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

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def content_type(self) -> str:
        return content_type(self.key)


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file in addition to the audio. `size`, `sha256` and `s3_etag` are as in `Audio`.

    Attributes:
        kind: `midi` and `stem` were requested; `project` is a DAWproject session, which comes with them. Every job has
            `peaks`, the waveform as JSON, and `waveform`, a picture of it.
        instrument: of a stem.
        program: the General MIDI program of a stem's instrument, from 0.
        gain_db: to be added to a stem, so that all stems sum to the audio.
    """

    kind: OutputFileKind
    name: str
    key: str
    size: int
    sha256: str
    s3_etag: str | None = None
    instrument: str | None = None
    program: int | None = None
    gain_db: float | None = None

    @property
    def content_type(self) -> str:
        return content_type(self.name)


class OutputLink(msgspec.Struct, frozen=True, kw_only=True):
    """An output as clients see it: `download_url` is a path on the gateway; the other fields are as in `Output`."""

    kind: OutputFileKind
    name: str
    size: int
    download_url: str
    instrument: str | None = None
    program: int | None = None
    gain_db: float | None = None


# The audio's waveform, in the extras of a job.
PEAKS = "audio.peaks.json"
# The prefix of all jobs' files.
ALL_JOBS_PREFIX = "jobs/"


def audio_key(job_id: str, audio_format: AudioFormat = "wav") -> str:
    """The object key of a job's audio. Callers check the job id first."""
    return f"{job_prefix(job_id)}audio.{audio_format}"


def output_key(job_id: str, name: str) -> str:
    """The object key of an output, under the same prefix as the audio."""
    return f"{job_prefix(job_id)}{name}"


def stored_name(key: str) -> str:
    """The name of a file, by its object key."""
    return key.rpartition("/")[2]


def job_prefix(job_id: str) -> str:
    """The prefix of all files of a job."""
    return f"{ALL_JOBS_PREFIX}{job_id}/"


def audio_url(job_id: str) -> str:
    """The path on the gateway that serves a finished job's audio."""
    return f"/api/v1/download/{job_id}"
