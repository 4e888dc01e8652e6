"""The decoding process's answer. It is checked like a client's input: the file may have taken the process over."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.uploaded_files import MAX_UPLOAD_SECONDS


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an uploaded file holds, or why it is refused.

    Attributes:
        refusal: sentences for the client; None if the file is usable.
        duration: in seconds.
        sample_rate: in hertz; None for MIDI.
        channels: None for MIDI.
    """

    refusal: Annotated[str, Meta(min_length=1, max_length=300)] | None = None
    duration: Annotated[float, Meta(ge=0, le=MAX_UPLOAD_SECONDS)] = 0.0
    sample_rate: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    channels: Annotated[int, Meta(ge=1, le=64)] | None = None


_decode = msgspec.json.Decoder(Verdict).decode


def decode_verdict(data: bytes) -> Verdict:
    """The verdict in the process's output. Raises: one of `UNDECODABLE`."""
    return _decode(data)
