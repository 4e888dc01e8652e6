"""The bodies and queries of the REST API. They are a contract: only add fields, with defaults."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.prompts import Complexity, KeyName, Meter, PromptComponents
from shared.edits import Composed, Edit
from shared.files import OUTPUT_KINDS, Audio, AudioFormat, OutputKind, OutputLink, SampleFormat
from shared.lanes import Priority
from shared.messages import JobStatus, Moment, Recipe, RequestedTake, Seed, Timings
from shared.music import Bars, Bpm, Ignored, Instrument, Measured, SectionStart, Understood

MAX_PROMPT = 500
MIN_DURATION = 0.5
DEFAULT_DURATION = 30.0
MAX_TAKES = 8
# Integrated loudness in LUFS.
QUIETEST, LOUDEST = -30.0, -6.0
# Visible ASCII characters of the header Idempotency-Key.
IDEMPOTENCY_KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"

Outputs = Annotated[
    tuple[OutputKind, ...],
    Meta(
        max_length=len(OUTPUT_KINDS),
        description="Outputs besides the audio; only models that write scores have them, such as starter",
        extra_json_schema={"uniqueItems": True},
    ),
]
SampleRate = Annotated[
    Literal[44_100, 48_000, 96_000], Meta(description="Of the files, in hertz; null is the model's own")
]
Loudness = Annotated[
    float,
    Meta(
        ge=QUIETEST,
        le=LOUDEST,
        description="Integrated loudness in LUFS (ITU-R BS.1770); null is as the model made it",
        examples=[-14],
    ),
]
Title = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="Of the music: in the file's metadata and name",
        extra_json_schema={"pattern": r"\S"},
    ),
]


Prompt = Annotated[str, Meta(min_length=1, max_length=MAX_PROMPT, extra_json_schema={"pattern": r"\S"})]


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/generate: exactly one of `prompt` and `components`, and any of the other fields."""

    prompt: Prompt | None = None
    components: PromptComponents | None = None
    duration: Annotated[float, Meta(ge=MIN_DURATION, description="Seconds, up to the server's MAX_DURATION")] | None = (
        None
    )
    temperature: Annotated[float, Meta(ge=0.1, le=2)] = 1.0
    top_k: Annotated[int, Meta(ge=0, le=1000, description="0 disables it")] = 250
    top_p: Annotated[float, Meta(ge=0, le=1, description="Above 0 it replaces top_k")] = 0.0
    cfg_coef: Annotated[float, Meta(ge=1, le=10)] | None = None
    seed: Annotated[Seed | None, Meta(description="null for a random seed, which the status then shows")] = None
    model: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    sample_format: SampleFormat = "int16"
    # Unset rather than empty: an absent field must not change the fingerprint of the request.
    outputs: Outputs | UnsetType = UNSET
    bars: (
        Annotated[Bars, Meta(description="Whole bars, in place of duration: the file has exactly their length")]
        | UnsetType
    ) = UNSET
    bpm: (
        Annotated[
            Bpm,
            Meta(description="Quarter notes per minute, whatever the meter; may be fractional", examples=[124, 92.5]),
        ]
        | UnsetType
    ) = UNSET
    meter: Meter | UnsetType = UNSET
    key: KeyName | UnsetType = UNSET
    loop: Annotated[bool, Meta(description="The end continues at the start, without a fade")] | UnsetType = UNSET
    format: Annotated[AudioFormat, Meta(description="Of the audio and the stems; wav if absent")] | UnsetType = UNSET
    sample_rate: SampleRate | UnsetType = UNSET
    loudness: Loudness | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    variations: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_TAKES,
                description="How many takes: a job for each. The first has `seed`, each other one the seed after the "
                "one before; 1 if absent",
            ),
        ]
        | UnsetType
    ) = UNSET
    edit: Annotated[Edit, Meta(description="Of the recipe of a child, to make it again")] | UnsetType = UNSET
    priority: (
        Annotated[
            Priority,
            Meta(description="Workers take more urgent jobs first; by default that of the API key, else normal"),
        ]
        | UnsetType
    ) = UNSET
    cache: (
        Annotated[
            bool,
            Meta(
                description="false always generates; true also reuses a stored result of any seed if no seed is given. "
                "By default, a stored result is reused only for the same seed"
            ),
        ]
        | UnsetType
    ) = UNSET


class JobAccepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The response to POST /api/v1/generate.

    Attributes:
        job_id: the job; the first one if there are several takes.
        takes: all jobs of the request, this one first; only if it asked for several.
    """

    job_id: str
    status: JobStatus
    message: str
    created_at: Moment
    takes: tuple[RequestedTake, ...] = ()


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


class JobsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of GET /api/v1/jobs.

    Attributes:
        limit: the most jobs in the answer.
        status: only jobs in this status.
    """

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    status: JobStatus | None = None
    cursor: (
        Annotated[
            str,
            Meta(
                max_length=64,
                description="The next_cursor of the previous page; empty for the first page",
                extra_json_schema={"pattern": r"^([0-9]{1,14}-gen_[a-z0-9]{12})?$"},
            ),
        ]
        | None
    ) = None


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of jobs, newest first. `total` counts all matching jobs; `next_cursor` fetches the next page."""

    jobs: list[JobView]
    total: int
    next_cursor: str | None


class Message(msgspec.Struct, frozen=True):
    """A confirmation."""

    message: str


class DownloadQuery(msgspec.Struct, frozen=True):
    """The query of GET /api/v1/download/{job_id} and /api/v1/download/{job_id}/{name}.

    Attributes:
        proxy: the gateway sends the bytes itself, instead of a redirect to the store.
    """

    proxy: bool = False


class CancelQuery(msgspec.Struct, frozen=True):
    """The query of DELETE /api/v1/jobs/{job_id}.

    Attributes:
        keep: stores the audio that a running job has generated so far.
        takes: cancels the other takes of the job's request, too; 409 only if all have finished.
    """

    keep: bool = False
    takes: bool = False


class SocketQuery(msgspec.Struct, frozen=True):
    """The query of GET /ws: an initial subscription.

    Attributes:
        job_id: the job.
        audio: whether to send its live audio, too.
    """

    job_id: str | None = None
    audio: bool = False


class RandomQuery(msgspec.Struct, frozen=True):
    """The query of GET /api/v1/prompt/random.

    Attributes:
        complexity: how many fields the prompt has.
    """

    complexity: Complexity = "medium"


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


class ParseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/prompt/parse."""

    prompt: Prompt


class ServiceInfo(msgspec.Struct, frozen=True):
    """The JSON description of GET /."""

    service: str
    version: str
    status: str
    endpoints: dict[str, str]
