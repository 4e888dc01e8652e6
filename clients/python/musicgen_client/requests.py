"""The fields of a request for music."""

from typing import Any, Literal, TypedDict


class Components(TypedDict, total=False):
    """A prompt in parts; the gateway makes the sentence."""

    genre: str
    tempo: str
    mood: str
    instruments: list[str]
    artist_style: str
    custom_text: str
    bars: int
    bpm: float
    meter: str
    key: str
    loop: bool


class JobFields(TypedDict, total=False):
    """The fields of every request for music. What is left out, the gateway chooses."""

    seed: int | None
    title: str | None
    outputs: list[Literal["midi", "stems"]]
    webhook: str
    webhook_events: list[Literal["queued", "processing", "completed", "failed", "cancelled"]]


class GenerateFields(JobFields, total=False):
    """The fields besides the prompt, as the API guide describes them."""

    components: Components
    negative_prompt: str
    duration: float
    bars: int
    bpm: float
    meter: str
    key: str
    loop: bool
    model: str
    temperature: float
    top_k: int
    top_p: float
    cfg_coef: float
    format: Literal["wav", "flac", "ogg", "mp3"]
    sample_rate: Literal[44100, 48000, 96000] | None
    sample_format: Literal["int16", "int24", "float32"]
    loudness: float | None
    variations: int
    priority: Literal["interactive", "normal", "batch"]
    audio: dict[str, Any]
    edit: dict[str, Any]
    score: dict[str, Any]
    cache: bool


class VaryFields(JobFields, total=False):
    """The fields of `vary`. `instruments` are names or streams of the take's `instruments`; by default all."""

    strength: float
    instruments: list[str]


class ExtendFields(JobFields, total=False):
    """The fields of `extend`: `bars` or `seconds`, and any others."""

    bars: int
    seconds: float
    at: Literal["start", "end"]
    prompt: str


class ReplaceFields(JobFields, total=False):
    """The fields of `replace`: bars or seconds. Bars count from 1, and `to_bar` is the last one replaced."""

    from_bar: int
    to_bar: int
    from_seconds: float
    to_seconds: float
    instruments: list[str]
    prompt: str


def request_body(prompt: str | None, fields: dict[str, Any]) -> dict[str, Any]:
    """The body of POST /api/v1/generate."""
    return fields if prompt is None else {"prompt": prompt, **fields}
