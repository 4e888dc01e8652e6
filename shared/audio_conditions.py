"""Audio that a job's music is conditioned on: what a request names, and the excerpt that is stored of it.

The excerpt is stored when the job is accepted, by its checksum, so that the job no longer needs what it was cut out of,
and only bytes of the service's own reach a worker.
"""

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.job_id import JOB_ID_PATTERN

ConditionKind = Literal["continue_from", "melody"]
CONDITIONS: tuple[ConditionKind, ...] = ("continue_from", "melody")

AUDIO_ID_PATTERN = r"^aud_[a-z0-9]{12}$"

# Seconds: the window of Meta's models. A continuation needs some of it for itself.
LONGEST_EXCERPT = 30.0
LONGEST_CONTEXT = 29.0
SHORTEST_EXCERPT = 0.1
# Seconds of a continued file that count where a request gives no start: what the model hears of its own music in pieces
# longer than its window.
USUAL_CONTEXT = 12.0
# Of a stored excerpt: two channels in float32, and their description.
MOST_EXCERPT_BYTES = int(LONGEST_EXCERPT * 192_000) * 2 * 4 + 1024

# Beside the folders of uploaded files, which have the names of API keys: those have no dot.
EXCERPTS_PREFIX = "uploads/.excerpts/"

# A folder in place of a key's name where there are no keys.
NO_KEY = "no.key"

Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class AudioSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A part of an uploaded file or of a finished job's audio: exactly one of `audio_id` and `job_id`.

    Attributes:
        audio_id: of a file from POST /api/v1/audio.
        job_id: of a finished job.
        start: in seconds.
        end: in seconds; by default the end of the audio.
        sha256: of the excerpt, in a recipe. In a request it must fit what the source holds.
    """

    audio_id: Annotated[str, Meta(pattern=AUDIO_ID_PATTERN)] | None = None
    job_id: Annotated[str, Meta(pattern=JOB_ID_PATTERN)] | None = None
    start: Seconds | None = None
    end: Seconds | None = None
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None


class AudioConditions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What audio a job is conditioned on: exactly one of the fields.

    Attributes:
        continue_from: the music goes on from the end of this excerpt, with which the file begins.
        melody: the music follows the melody of this excerpt.
    """

    continue_from: AudioSource | None = None
    melody: AudioSource | None = None

    def __post_init__(self) -> None:
        if len(self._given()) != 1:
            raise ValueError(f"Give one of {', '.join(CONDITIONS)}")

    @property
    def kind(self) -> ConditionKind:
        """The condition that is given."""
        return self._given()[0][0]

    @property
    def source(self) -> AudioSource:
        """Of the condition that is given."""
        return self._given()[0][1]

    def _given(self) -> list[tuple[ConditionKind, AudioSource]]:
        return [(kind, source) for kind in CONDITIONS if (source := getattr(self, kind)) is not None]

    def by_content(self) -> "AudioConditions":
        """The same for every source of the same excerpt."""
        return AudioConditions(**{self.kind: AudioSource(sha256=self.source.sha256)})


class Excerpt(msgspec.Struct, frozen=True, kw_only=True):
    """Audio as it is stored for workers: float32 in little-endian frames of `channels` samples.

    Attributes:
        sample_rate: in hertz.
    """

    sample_rate: Annotated[int, Meta(ge=1, le=192_000)]
    channels: Annotated[int, Meta(ge=1, le=2)]
    samples: bytes

    @property
    def duration(self) -> float:
        """In seconds."""
        return len(self.samples) / (4 * self.channels * self.sample_rate)


_decode = msgspec.msgpack.Decoder(Excerpt).decode


def encode_excerpt(excerpt: Excerpt) -> bytes:
    """The bytes that are stored."""
    return msgspec.msgpack.encode(excerpt)


def decode_excerpt(data: bytes) -> Excerpt:
    """An excerpt from its bytes.

    Raises:
        msgspec.MsgspecError, ValueError: if it is none.
    """
    excerpt = _decode(data)
    if not excerpt.samples or len(excerpt.samples) % (4 * excerpt.channels):
        raise ValueError("It does not hold whole frames.")
    return excerpt


def checksum(data: bytes) -> str:
    """The SHA-256 of a stored excerpt, in hex."""
    return hashlib.sha256(data).hexdigest()


def excerpts_of(owner: str | None) -> str:
    """The prefix of the excerpts for jobs of an API key of this name."""
    return f"{EXCERPTS_PREFIX}{owner or NO_KEY}/"


def excerpt_key(owner: str | None, sha256: str) -> str:
    """The object key of an excerpt."""
    return f"{excerpts_of(owner)}{sha256}"
