"""A look at a stream: what nats-py's `stream_info` leaves out of the server's answer."""

from datetime import datetime, timedelta

import msgspec
from nats.aio.client import Client

from shared.bus import AWAY, REQUEST_TIMEOUT
from shared.errors import UnavailableError


class StreamState(msgspec.Struct, frozen=True):
    """The messages of a stream.

    Attributes:
        first_seq: of the oldest message; one more than `last_seq` if there is none.
        last_seq: of the last message that the stream ever got.
        num_deleted: how many between the two are gone.
        deleted: which ones, if that was asked for.
    """

    messages: int
    first_seq: int
    last_seq: int
    num_deleted: int = 0
    deleted: frozenset[int] = frozenset()


class StreamLimits(msgspec.Struct, frozen=True):
    """What an operator may have set; `max_age` of a message in nanoseconds, 0 for none."""

    max_age: int = 0


class StreamSnapshot(msgspec.Struct, frozen=True):
    """A stream at one moment.

    Attributes:
        created: tells the stream from an earlier one of its name.
        ts: the moment, by the broker's clock.
    """

    created: datetime
    ts: datetime
    state: StreamState
    config: StreamLimits

    @property
    def lifetime(self) -> timedelta | None:
        """How long the stream keeps a message; None if for ever."""
        return timedelta(microseconds=self.config.max_age // 1000) or None


class _Failure(msgspec.Struct, frozen=True):
    description: str = "unknown"


class _Answer(msgspec.Struct, frozen=True):
    error: _Failure | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_snapshot = msgspec.json.Decoder(StreamSnapshot).decode


async def read_stream(client: Client, stream: str, *, deleted: bool = False) -> StreamSnapshot:
    """The stream now; with `deleted`, each missing number too.

    Raises:
        UnavailableError: if the broker does not answer, or the stream is not there.
    """
    request = msgspec.json.encode({"deleted_details": deleted})
    try:
        answer = await client.request(f"$JS.API.STREAM.INFO.{stream}", request, timeout=REQUEST_TIMEOUT)
    except AWAY as error:
        raise UnavailableError(f"The stream {stream} cannot be looked at: {error!r}") from error
    if failure := _decode_answer(answer.data).error:
        raise UnavailableError(f"The stream {stream} cannot be looked at: {failure.description}")
    return _decode_snapshot(answer.data)
