"""The bodies of requests. They are a contract: only add fields, with defaults."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.prompts import KeyName, Meter, PromptComponents
from shared.audio_conditions import AUDIO_ID_PATTERN, AudioConditions
from shared.edits import Edit
from shared.files import OUTPUT_KINDS, AudioFormat, OutputKind, SampleFormat
from shared.job_id import JOB_ID_PATTERN
from shared.lanes import Priority
from shared.messages import JobStatus, Seed
from shared.music import Bars, Bpm
from shared.note_score import MOST_PARTS
from shared.played_score import Checksum, Program, ScoreAction

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
NegativePrompt = Annotated[
    Prompt,
    Meta(
        description="What the music should not be, such as drums, vocals. Models that make audio directly need a "
        "cfg_coef above 1 for it"
    ),
]

WebhookUrl = Annotated[
    str,
    Meta(
        max_length=2048,
        description="A URL that gets the job's events, signed after Standard Webhooks; https, unless the gateway "
        "allows the network",
        examples=["https://studio.example.com/hooks/music"],
    ),
]
WebhookEvents = Annotated[
    tuple[JobStatus, ...],
    Meta(
        min_length=1,
        max_length=len(JobStatus),
        description="The events for the webhook; completed, failed and cancelled if absent",
        extra_json_schema={"uniqueItems": True},
    ),
]


class ScoreRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"action": "as"}):
    """A score: exactly one of `audio_id`, `job_id` and `sha256`, and any of the other fields.

    Attributes:
        audio_id: of an uploaded MIDI file.
        job_id: of a job that has a score.
        sha256: of the recipe of a job that worked on a score, to make it again.
        action: what to do with it. `play` plays it note for note; the prompt then only names the music. `orchestrate`
            gives the same notes to the instruments, or to the genre, that the prompt names. `accompany` keeps the
            notes, and composes the other instruments. `continue` composes what follows the notes.
        programs: General MIDI programs from 0 for single instruments, by name or stream of the job's `instruments`. The
            parts of a file are "part 1", "part 2" and so on, or have the names of their tracks.
        instruments: the only ones to use, named like those.
        parent: of the recipe, with `sha256`.
    """

    audio_id: Annotated[str, Meta(pattern=AUDIO_ID_PATTERN)] | UnsetType = UNSET
    job_id: Annotated[str, Meta(pattern=JOB_ID_PATTERN)] | UnsetType = UNSET
    sha256: Checksum | UnsetType = UNSET
    action: ScoreAction = "play"
    programs: (
        Annotated[
            dict[Annotated[str, Meta(min_length=1, max_length=40)], Program],
            Meta(max_length=MOST_PARTS, examples=[{"lead": 81}]),
        ]
        | UnsetType
    ) = UNSET
    instruments: (
        Annotated[
            tuple[Annotated[str, Meta(min_length=1, max_length=40)], ...], Meta(min_length=1, max_length=MOST_PARTS)
        ]
        | UnsetType
    ) = UNSET
    parent: Annotated[str, Meta(pattern=JOB_ID_PATTERN)] | UnsetType = UNSET


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/generate: exactly one of `prompt`, `components` and `score`, and any other fields.

    A `score` may have a `prompt` beside it.
    """

    prompt: Prompt | None = None
    components: PromptComponents | None = None
    negative_prompt: NegativePrompt | UnsetType = UNSET
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
    webhook: WebhookUrl | UnsetType = UNSET
    webhook_events: WebhookEvents | UnsetType = UNSET
    audio: (
        Annotated[AudioConditions, Meta(description="Audio that the music continues, or whose melody it follows")]
        | UnsetType
    ) = UNSET
    score: Annotated[ScoreRequest, Meta(description="A MIDI file or another job's score, to work on")] | UnsetType = (
        UNSET
    )
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


class ParseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/prompt/parse."""

    prompt: Prompt
