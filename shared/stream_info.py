"""Stream information that nats-py's `stream_info` omits: the broker's time, and deleted sequence numbers."""

from datetime import datetime, timedelta

import msgspec
from nats.aio.client import Client

from shared.bus import AWAY, REQUEST_TIMEOUT
from shared.errors import UnavailableError


class StreamState(msgspec.Struct, frozen=True):
    """The messages of a stream.

    Attributes:
        first_seq: of the oldest message; `last_seq` + 1 in an empty stream.
        last_seq: of the last message ever stored.
        num_deleted: number of deleted messages between the two.
        deleted: their sequence numbers, if requested.
    """

    messages: int
    first_seq: int
    last_seq: int
    num_deleted: int = 0
    deleted: frozenset[int] = frozenset()


class StreamLimits(msgspec.Struct, frozen=True):
    """Limits that an operator may have changed; `max_age` in nanoseconds, 0 for no limit."""

    max_age: int = 0


class StreamSnapshot(msgspec.Struct, frozen=True):
    """A stream at one moment.

    Attributes:
        created: distinguishes the stream from an earlier one of the same name.
        ts: the current time by the broker's clock.
    """

    created: datetime
    ts: datetime
    state: StreamState
    config: StreamLimits

    @property
    def lifetime(self) -> timedelta | None:
        """How long the stream keeps a message; None for no limit."""
        return timedelta(microseconds=self.config.max_age // 1000) or None


class _Failure(msgspec.Struct, frozen=True):
    description: str = "unknown"


class _Answer(msgspec.Struct, frozen=True):
    error: _Failure | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_snapshot = msgspec.json.Decoder(StreamSnapshot).decode


async def read_stream(client: Client, stream: str, *, deleted: bool = False) -> StreamSnapshot:
    """Read a snapshot of the stream; with `deleted`, including the deleted sequence numbers.

    Raises:
        UnavailableError: if the broker does not answer, or the stream does not exist.
    """
    request = msgspec.json.encode({"deleted_details": deleted})
    try:
        answer = await client.request(f"$JS.API.STREAM.INFO.{stream}", request, timeout=REQUEST_TIMEOUT)
    except AWAY as error:
        raise UnavailableError(f"The stream {stream} cannot be read: {error!r}") from error
    if failure := _decode_answer(answer.data).error:
        raise UnavailableError(f"The stream {stream} cannot be read: {failure.description}")
    return _decode_snapshot(answer.data)
