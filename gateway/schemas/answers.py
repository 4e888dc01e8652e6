"""The bodies of answers. They are a contract: only add fields."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.edits import Composed
from shared.files import Audio, AudioFormat, OutputLink
from shared.lanes import Priority
from shared.messages import JobStatus, Moment, Recipe, RequestedTake, Timings
from shared.music import Ignored, Instrument, Measured, SectionStart, Understood


class JobAccepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The response to POST /api/v1/generate.

    Attributes:
        job_id: the job; the first one if there are several takes.
        takes: all jobs of the request, this one first; only if it asked for several. With Prefer: wait it may be null.
    """

    job_id: str
    status: JobStatus
    message: str
    created_at: Moment
    takes: tuple[RequestedTake, ...] | None = ()


class Links(msgspec.Struct, frozen=True, kw_only=True, rename={"status": "self"}):
    """Paths on the gateway for one job; null where there is nothing to ask for.

    Attributes:
        status: the status of the job.
        cancel: answers a DELETE, while the job has not ended.
        events: the events of the job.
        audio: the audio of the job.
        bundle: all files of the job.
    """

    status: str
    cancel: str | None = None
    events: str | None = None
    audio: str | None = None
    bundle: str | None = None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job, in GET /api/v1/status/{job_id} and GET /api/v1/jobs. null is unknown or not there.

    Tempo, key, meter and bars are those of the finished music; before that, those of the recipe.
    """

    job_id: str
    status: JobStatus
    progress: float
    message: str
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    error_message: str | None
    prompt: str
    duration: float
    audio_url: str | None
    file_size: int | None
    actual_duration: float | None
    model: str
    seed: Annotated[int, Meta(description="Of the take in the file; another than the recipe's if that did not fit")]
    attempts: int
    priority: Priority
    queue_position: int | None
    eta_seconds: float | None
    recipe: Recipe
    audio: Audio | None
    timings: Timings | None
    outputs: tuple[OutputLink, ...]
    audio_expired: bool
    cached: bool
    warnings: tuple[str, ...]
    bpm: Annotated[float | None, Meta(description="Quarter notes per minute")]
    key: Annotated[str | None, Meta(description="In the long form, such as A minor")]
    meter: str | None
    bars: Annotated[int | None, Meta(description="Whole bars in the file; null if it ends within one")]
    loop: bool
    sample_rate: Annotated[int | None, Meta(description="Of the file, in hertz; null until it is known")]
    format: AudioFormat
    file_name: Annotated[str | None, Meta(description="Of the downloaded audio; null until there is audio")]
    title: str | None
    takes: Annotated[
        tuple[RequestedTake, ...] | None,
        Meta(description="All jobs of a request that asked for several, this one included; else null"),
    ]
    measured: Annotated[Measured | None, Meta(description="What was measured of the finished audio")]
    instruments: Annotated[tuple[Instrument, ...] | None, Meta(description="Of models that write scores")]
    sections: Annotated[tuple[SectionStart, ...] | None, Meta(description="Of models that write scores")]
    understood: Annotated[
        tuple[Understood, ...] | None,
        Meta(description="Of models that read the prompt by themselves: its words, and what they were taken for"),
    ]
    ignored: Annotated[
        tuple[str, ...] | None,
        Meta(description="Of the same models: the content words that the music does not follow"),
    ]
    ignored_because: Annotated[
        tuple[Ignored, ...] | None,
        Meta(description="The same words, each with the reason in plain words; null for jobs of earlier versions"),
    ]
    links: Links
    peaks_url: Annotated[str | None, Meta(description="The waveform's peaks, in audiowaveform's JSON layout")]
    parent: Annotated[str | None, Meta(description="The job that this take was made of")]
    composed: Annotated[Composed | None, Meta(description="How a child's bars were composed")]
    cancel_at: Annotated[
        Moment | None, Meta(description="When the job is cancelled unless it has ended: the request's Cancel-After")
    ]


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of jobs, newest first. `total` counts all matching jobs; `next_cursor` fetches the next page."""

    jobs: list[JobView]
    total: int
    next_cursor: str | None


class Message(msgspec.Struct, frozen=True):
    """A confirmation."""

    message: str


class WaveformPeaks(msgspec.Struct, frozen=True, kw_only=True):
    """The peaks of a waveform, in the JSON layout of audiowaveform, version 2.

    Attributes:
        sample_rate: of the audio, in hertz.
        samples_per_pixel: frames in a pixel; the last one may have fewer.
        bits: of each number; full scale is 128 at 8 bits.
        length: how many pixels there are.
        data: minimum and maximum of each channel, pixel by pixel.
    """

    version: int
    channels: int
    sample_rate: int
    samples_per_pixel: int
    bits: int
    length: int
    data: list[int]


class ServiceInfo(msgspec.Struct, frozen=True):
    """The JSON description of GET /."""

    service: str
    version: str
    status: str
    endpoints: dict[str, str]
