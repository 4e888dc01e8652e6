"""The bodies and answers of the routes that make a take of another one. They are a contract: only add fields."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.schemas import JobAccepted, Outputs, Prompt, Title, WebhookEvents, WebhookUrl
from shared.edits import Place
from shared.messages import JobStatus, Moment, Seed
from shared.music import MOST_BARS, Bars

# How a job is made of another one: of its codes, or of its score of notes.
Relation = Literal["vary", "extend", "replace", "play", "orchestrate", "accompany", "continue"]
Bar = Annotated[int, Meta(ge=1, le=MOST_BARS, description="Counted from 1")]
Second = Annotated[float, Meta(ge=0, le=86_400, description="In the take")]
Instruments = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=40)], ...],
    Meta(
        min_length=1,
        max_length=16,
        description="Compose only these: names or streams of the parent's `instruments`. By default all",
    ),
]
OwnPrompt = Annotated[Prompt, Meta(description="Describes the composed bars; by default they follow the parent's")]
OwnSeed = Annotated[Seed | None, Meta(description="null for a random seed, which the status then shows")]


class VaryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/jobs/{job_id}/vary.

    Attributes:
        strength: the share of bars and instruments that are composed again. 0 renders the same score again, with other
            `outputs` for instance. Of a take without a score, the share of its length that is new, at its end.
    """

    strength: Annotated[float, Meta(ge=0, le=1)] = 0.5
    instruments: Instruments | UnsetType = UNSET
    seed: OwnSeed = None
    outputs: Outputs | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    webhook: WebhookUrl | UnsetType = UNSET
    webhook_events: WebhookEvents | UnsetType = UNSET


class ExtendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/jobs/{job_id}/extend: exactly one of `bars` and `seconds`, and any other fields.

    Attributes:
        bars: how many to add. If the parent ends within a bar, it is completed first.
        seconds: how much to add; the nearest number of whole bars where the parent has whole bars, or in front of it.
        at: where to add them; a take without a score only gets longer at its end.
    """

    bars: Bars | UnsetType = UNSET
    seconds: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    at: Place = "end"
    prompt: OwnPrompt | UnsetType = UNSET
    seed: OwnSeed = None
    outputs: Outputs | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    webhook: WebhookUrl | UnsetType = UNSET
    webhook_events: WebhookEvents | UnsetType = UNSET


class ReplaceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/jobs/{job_id}/replace: bars or, of a take without a score, seconds; any other fields.

    Attributes:
        from_bar: the first bar to replace.
        to_bar: the last bar to replace.
        from_seconds: where the new audio begins; the nearest beat where the beats are known.
        to_seconds: where it ends; the nearest beat where the beats are known.
    """

    from_bar: Bar | UnsetType = UNSET
    to_bar: Bar | UnsetType = UNSET
    from_seconds: Second | UnsetType = UNSET
    to_seconds: Second | UnsetType = UNSET
    instruments: Instruments | UnsetType = UNSET
    prompt: OwnPrompt | UnsetType = UNSET
    seed: OwnSeed = None
    outputs: Outputs | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    webhook: WebhookUrl | UnsetType = UNSET
    webhook_events: WebhookEvents | UnsetType = UNSET


EditRequest = VaryRequest | ExtendRequest | ReplaceRequest


class ChildAccepted(JobAccepted, frozen=True, kw_only=True, omit_defaults=True):
    """The response to a request for a child. `parent` is the job that it is made of."""

    parent: str


class Relative(msgspec.Struct, frozen=True, kw_only=True):
    """A job in a lineage.

    Attributes:
        parent: the job that it was made of; null for a take that was composed as a whole.
        kind: how it was made of its parent.
        status: null if the job is no longer on record.
        from_bar: the first bar that was replaced.
        to_bar: the last bar that was replaced.
        from_seconds: of a child of audio: where the new part begins.
        to_seconds: where it ends, if old audio follows.
    """

    job_id: str
    parent: str | None = None
    kind: Relation | None = None
    status: JobStatus | None = None
    created_at: Moment | None = None
    seed: int | None = None
    from_bar: int | None = None
    to_bar: int | None = None
    from_seconds: float | None = None
    to_seconds: float | None = None


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """All takes that come from the same one. `parent` makes a tree of the list; a parent precedes its children."""

    job_id: str
    jobs: list[Relative]
