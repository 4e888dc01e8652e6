"""What goes over the WebSocket besides events: the client's requests, and the answers that are no events."""

from typing import Annotated

import msgspec
from msgspec import Meta

JobId = Annotated[str, Meta(max_length=64)]


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe", forbid_unknown_fields=True):
    """Follow a job; `after_seq` asks for the lifecycle events that came after it."""

    job_id: JobId
    after_seq: Annotated[int, Meta(ge=0)] | None = None


class Unsubscribe(msgspec.Struct, frozen=True, tag="unsubscribe", forbid_unknown_fields=True):
    """Follow a job no longer."""

    job_id: JobId


class Ping(msgspec.Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """Answered by a pong."""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to a ping."""


class ErrorFrame(msgspec.Struct, frozen=True, tag="error", omit_defaults=True):
    """What was wrong with a frame; the connection goes on."""

    detail: str
    job_id: str | None = None


Request = Subscribe | Unsubscribe | Ping

decode_request = msgspec.json.Decoder(Request).decode
encode_frame = msgspec.json.Encoder().encode
