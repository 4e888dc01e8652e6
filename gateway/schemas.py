"""The bodies of the REST API. Field names and types are a contract: only ever add, with a default."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.prompts import Complexity, PromptComponents
from shared.files import OUTPUT_KINDS, Audio, OutputKind, OutputLink, SampleFormat
from shared.messages import JobStatus, Recipe, Seed, Timings

MAX_PROMPT = 500
MIN_DURATION = 0.5
DEFAULT_DURATION = 30.0

Outputs = Annotated[
    tuple[OutputKind, ...],
    Meta(
        max_length=len(OUTPUT_KINDS),
        description="What is wanted beside the audio; only models that write scores give it, such as starter",
        extra_json_schema={"uniqueItems": True},
    ),
]


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/generate. Either `prompt` or `components`."""

    prompt: Annotated[str, Meta(min_length=1, max_length=MAX_PROMPT, extra_json_schema={"pattern": r"\S"})] | None = (
        None
    )
    components: PromptComponents | None = None
    duration: Annotated[float, Meta(ge=MIN_DURATION, description="Seconds, up to the server's MAX_DURATION")] | None = (
        None
    )
    temperature: Annotated[float, Meta(ge=0.1, le=2)] = 1.0
    top_k: Annotated[int, Meta(ge=0, le=1000, description="0 is off")] = 250
    top_p: Annotated[float, Meta(ge=0, le=1, description="Above 0 it takes the place of top_k")] = 0.0
    cfg_coef: Annotated[float, Meta(ge=1, le=10)] | None = None
    seed: Annotated[Seed | None, Meta(description="null for a random one, which the status then tells")] = None
    model: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    sample_format: SampleFormat = "int16"
    # Unset rather than empty: what a client does not send must not change the fingerprint of its request.
    outputs: Outputs | UnsetType = UNSET
    cache: (
        Annotated[
            bool,
            Meta(
                description="false has the music made anew; true takes a stored one of whatever seed if none is given. "
                "Left out, music of the same seed is stored music if there is some"
            ),
        ]
        | UnsetType
    ) = UNSET


class JobAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to POST /api/v1/generate."""

    job_id: str
    status: JobStatus
    message: str
    created_at: datetime


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/v1/status/{job_id}, and each item of GET /api/v1/jobs."""

    job_id: str
    status: JobStatus
    progress: float
    message: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error_message: str | None
    prompt: str
    duration: float
    audio_url: str | None
    file_size: int | None
    actual_duration: float | None
    model: str
    seed: int
    attempts: int
    queue_position: int | None
    eta_seconds: float | None
    recipe: Recipe
    audio: Audio | None
    timings: Timings | None
    outputs: tuple[OutputLink, ...]
    audio_expired: bool
    cached: bool
    warnings: tuple[str, ...]


class JobsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of GET /api/v1/jobs."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    status: JobStatus | None = None
    cursor: (
        Annotated[
            str,
            Meta(
                max_length=64,
                description="The next_cursor of an earlier page; empty for the first one",
                extra_json_schema={"pattern": r"^([0-9]{1,14}-gen_[a-z0-9]{12})?$"},
            ),
        ]
        | None
    ) = None


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/v1/jobs: newest first. `total` counts all that match, `next_cursor` fetches the next page."""

    jobs: list[JobView]
    total: int
    next_cursor: str | None


class Message(msgspec.Struct, frozen=True):
    """An answer that only says that it was done."""

    message: str


class DownloadQuery(msgspec.Struct, frozen=True):
    """The query of GET /api/v1/download/{job_id} and of what lies below it."""

    proxy: bool = False


class CancelQuery(msgspec.Struct, frozen=True):
    """The query of DELETE /api/v1/jobs/{job_id}. `keep` stores what a running job has made until now."""

    keep: bool = False


class SocketQuery(msgspec.Struct, frozen=True):
    """The query of GET /ws: a subscription to begin with."""

    job_id: str | None = None
    audio: bool = False


class RandomQuery(msgspec.Struct, frozen=True):
    """The query of GET /api/v1/prompt/random."""

    complexity: Complexity = "medium"


class ServiceInfo(msgspec.Struct, frozen=True):
    """GET / for programs."""

    service: str
    version: str
    status: str
    endpoints: dict[str, str]
