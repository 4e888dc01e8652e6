"""Files that clients upload: their ids, their keys in the store, and their descriptions."""

import re
import secrets
import string
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.audio_conditions import AUDIO_ID_PATTERN, NO_KEY
from shared.messages import Moment

UploadKind = Literal["audio", "midi"]
UploadFormat = Literal["wav", "flac", "ogg", "mp3", "mid"]

_FORMAT = re.compile(AUDIO_ID_PATTERN)
_ALPHABET = string.ascii_lowercase + string.digits

MAX_UPLOAD_BYTES = 64 * 1024 * 1024
MAX_UPLOAD_SECONDS = 600.0

# The prefix of all uploaded files. The gateway may write there only.
UPLOADS_PREFIX = "uploads/"


class UploadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a client uploaded.

    Attributes:
        kind: `midi` for the format `mid`.
        format: by content; names and content types are ignored.
        size: in bytes.
        duration: in seconds; of a MIDI file, up to the end of its last event.
        sample_rate: in hertz; None for MIDI.
        channels: None for MIDI.
        sha256: of the file, in hex.
    """

    audio_id: Annotated[str, Meta(pattern=AUDIO_ID_PATTERN)]
    kind: UploadKind
    format: UploadFormat
    size: int
    duration: float
    sample_rate: int | None
    channels: int | None
    sha256: str
    created_at: Moment


def new_audio_id() -> str:
    """A random id: 62 bits."""
    return "aud_" + "".join(secrets.choice(_ALPHABET) for _ in range(12))


def is_audio_id(text: str) -> bool:
    """Whether `text` is a well-formed id. Callers check this before they use it in S3."""
    return _FORMAT.fullmatch(text) is not None


def owner_folder(owner: str | None) -> str:
    """The folder of an API key of this name, below a prefix."""
    return owner or NO_KEY


def uploads_of(owner: str | None) -> str:
    """The prefix of the files that an API key of this name uploaded."""
    return f"{UPLOADS_PREFIX}{owner_folder(owner)}/"


def upload_key(owner: str | None, audio_id: str) -> str:
    """The object key of an uploaded file."""
    return f"{uploads_of(owner)}{audio_id}"
