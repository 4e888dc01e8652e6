"""What goes over the WebSocket besides events: the client's requests, and the answers that are no events.

Text frames are JSON. Binary frames are audio while it is generated, as `shared/audio_chunk.py` lays it out; they come
in order, but a text frame may overtake them.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.decoding import decode_json
from shared.messages import encode

JobId = Annotated[str, Meta(max_length=64)]


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe", forbid_unknown_fields=True):
    """Follow a job, in place of an earlier subscription to it.

    `after_seq` asks for the lifecycle events that came after it, `audio` for what is heard of the job, from the
    latest attempt's beginning.
    """

    job_id: JobId
    after_seq: Annotated[int, Meta(ge=0)] | None = None
    audio: bool = False


class Unsubscribe(msgspec.Struct, frozen=True, tag="unsubscribe", forbid_unknown_fields=True):
    """Follow a job no longer."""

    job_id: JobId


class Ping(msgspec.Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """Answered by a pong."""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to a ping."""


class ErrorMessage(msgspec.Struct, frozen=True, tag="error", omit_defaults=True):
    """What was wrong with a frame; the connection goes on."""

    detail: str
    job_id: str | None = None


ClientMessage = Subscribe | Unsubscribe | Ping


def decode_client_message(text: str | bytes) -> ClientMessage:
    """The request in a frame. Raises: msgspec.DecodeError, as `decode_json` does."""
    request: ClientMessage = decode_json(text.encode() if isinstance(text, str) else text, ClientMessage)
    return request


encode_message = encode
