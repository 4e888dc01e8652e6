"""The gateway's answers and events. Their names are those of its OpenAPI document.

Only what every version of the gateway sends is required; other fields have a default, mostly None for unknown.
`raw` is the whole object as it was received, with the fields that this version of the client does not know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobStatus(StrEnum):
    """The status of a job. Terminal ones never change."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


def _raw() -> Any:
    return field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class RequestedTake:
    """One of several jobs of one request; they differ in their seeds."""

    job_id: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class JobAccepted:
    """The answer to a request for music. `takes` are its jobs, if it asked for several."""

    job_id: str
    status: JobStatus
    message: str
    created_at: datetime
    takes: tuple[RequestedTake, ...] = ()
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True, kw_only=True)
class OutputLink:
    """A file besides the audio.

    Attributes:
        kind: midi, stem or project; later gateways may know more.
        size: in bytes.
        instrument: of a stem.
        program: the General MIDI program of a stem's instrument, from 0.
        gain_db: to be added to a stem, so that all stems sum to the audio.
    """

    kind: str
    name: str
    size: int
    download_url: str = ""
    instrument: str | None = None
    program: int | None = None
    gain_db: float | None = None


@dataclass(frozen=True, kw_only=True)
class Audio:
    """The stored audio: `size` in bytes, `duration` in seconds, `sha256` of the file in hex."""

    size: int
    duration: float
    sample_rate: int
    channels: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of the audio: confidence from 0 to 1, levels in LUFS and dBTP, downbeats in seconds."""

    bpm: float | None = None
    bpm_confidence: float | None = None
    key: str | None = None
    key_confidence: float | None = None
    lufs: float | None = None
    true_peak_dbtp: float | None = None
    downbeats: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """An instrument that plays: its General MIDI program from 0, and its MIDI channel from 1."""

    name: str
    stream: str
    program: int | None = None
    channel: int | None = None


@dataclass(frozen=True, kw_only=True)
class SectionStart:
    """Where a section starts: `bar` counts from 1, `start` is in seconds."""

    name: str
    bar: int
    start: float


@dataclass(frozen=True, kw_only=True)
class Understood:
    """Words of the prompt, and what they mean."""

    words: str
    meaning: str = field(metadata={"key": "as"})


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """Words of the prompt that the music does not follow, and why."""

    words: str
    because: str


@dataclass(frozen=True, kw_only=True)
class JobView:
    """A job.

    Attributes:
        progress: from 0 to 1.
        file_size: of the audio, in bytes.
        actual_duration: of the audio, in seconds.
        recipe: how to make the same music again, with `generate(**recipe)`.
        bpm: quarter notes per minute.
        key: in the long form, such as A minor.
        sample_rate: of the file, in hertz.
        takes: all jobs of a request that asked for several, this one included.
        parent: the job that this one was made of.
        file_name: of the audio, such as house_124bpm_Amin_8bars_gen_….wav.
    """

    job_id: str
    status: JobStatus
    progress: float
    message: str
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_message: str | None = None
    prompt: str = ""
    duration: float | None = None
    audio_url: str | None = None
    file_size: int | None = None
    actual_duration: float | None = None
    model: str | None = None
    seed: int | None = None
    attempts: int = 0
    priority: str | None = None
    queue_position: int | None = None
    eta_seconds: float | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    audio: Audio | None = None
    outputs: tuple[OutputLink, ...] = ()
    audio_expired: bool = False
    cached: bool = False
    warnings: tuple[str, ...] = ()
    bpm: float | None = None
    key: str | None = None
    meter: str | None = None
    bars: int | None = None
    loop: bool = False
    sample_rate: int | None = None
    format: str | None = None
    file_name: str | None = None
    title: str | None = None
    takes: tuple[RequestedTake, ...] = ()
    parent: str | None = None
    measured: Measured | None = None
    instruments: tuple[Instrument, ...] = ()
    sections: tuple[SectionStart, ...] = ()
    understood: tuple[Understood, ...] = ()
    ignored: tuple[str, ...] = ()
    ignored_because: tuple[Ignored, ...] = ()
    links: Mapping[str, Any] = field(default_factory=dict)
    peaks_url: str | None = None
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True, kw_only=True)
class JobList:
    """A page of jobs, newest first. `total` counts all that match; `next_cursor` asks for the next page."""

    jobs: tuple[JobView, ...]
    total: int
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Message:
    """A confirmation."""

    message: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """A change of a job. `seq` rises with every event of a job; `progress` goes from 0 to 1.

    Attributes:
        type: queued, processing, progress, completed, failed or cancelled; later gateways may know more.
    """

    type: str
    job_id: str
    seq: int
    status: JobStatus
    progress: float
    message: str
    at: datetime
    attempts: int = 0
    error_message: str | None = None
    audio_url: str | None = None
    file_size: int | None = None
    actual_duration: float | None = None
    outputs: tuple[OutputLink, ...] = ()
    raw: Mapping[str, Any] = _raw()
