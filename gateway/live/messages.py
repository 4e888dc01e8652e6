"""WebSocket messages besides events: client messages, and the server messages pong and error.

Text frames are JSON. Binary frames are live audio in the format of `shared/audio_chunk.py`. Binary frames keep their
order, but text frames may overtake them.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.decoding import decode_json

JobId = Annotated[str, Meta(max_length=64)]


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe", forbid_unknown_fields=True):
    """Subscribe to a job's events. Replaces an earlier subscription to the same job.

    `after_seq` requests the lifecycle events after that number. `audio` requests live audio from the beginning of the
    latest attempt.
    """

    job_id: JobId
    after_seq: Annotated[int, Meta(ge=0)] | None = None
    audio: bool = False


class Unsubscribe(msgspec.Struct, frozen=True, tag="unsubscribe", forbid_unknown_fields=True):
    """Unsubscribe from a job."""

    job_id: JobId


class Ping(msgspec.Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """The server replies with a pong."""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The reply to a ping."""


class ErrorMessage(msgspec.Struct, frozen=True, tag="error", omit_defaults=True):
    """An error in a client message. The connection stays open."""

    detail: str
    job_id: str | None = None


class FrameHead(msgspec.Struct, frozen=True):
    """What the sender of a text frame has to know of it; `end` is the frame `END`."""

    type: str
    seq: int = 0


_END = FrameHead("end")
_decode_head = msgspec.json.Decoder(FrameHead).decode


def decode_head(frame: bytes) -> FrameHead:
    """The head of a text frame of the gateway."""
    return _decode_head(frame) if frame else _END


ClientMessage = Subscribe | Unsubscribe | Ping


def decode_client_message(text: str | bytes) -> ClientMessage:
    """Decode a text frame.

    Raises:
        msgspec.DecodeError: as `decode_json` does.
    """
    message: ClientMessage = decode_json(text.encode() if isinstance(text, str) else text, ClientMessage)
    return message
