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


class _SubjectState(msgspec.Struct, frozen=True):
    subjects: dict[str, int] = {}


class _SubjectPage(msgspec.Struct, frozen=True):
    """Up to 100,000 subjects; `total` counts those of all pages."""

    state: _SubjectState
    total: int = 0


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_snapshot = msgspec.json.Decoder(StreamSnapshot).decode
_decode_page = msgspec.json.Decoder(_SubjectPage).decode


async def read_stream(client: Client, stream: str, *, deleted: bool = False) -> StreamSnapshot:
    """Read a snapshot of the stream; with `deleted`, including the deleted sequence numbers.

    Raises:
        UnavailableError: if the broker does not answer, or the stream does not exist.
    """
    return _decode_snapshot(await _ask(client, stream, {"deleted_details": deleted}))


async def read_subjects(client: Client, stream: str) -> set[str]:
    """The subjects that have messages in the stream.

    Raises:
        UnavailableError: if the broker does not answer, or the stream does not exist.
    """
    found: set[str] = set()
    offset, total = 0, 1
    while offset < total:
        page = _decode_page(await _ask(client, stream, {"subjects_filter": ">", "offset": offset}))
        found |= page.state.subjects.keys()
        offset, total = offset + len(page.state.subjects), page.total if page.state.subjects else 0
    return found


async def _ask(client: Client, stream: str, request: dict[str, object]) -> bytes:
    try:
        subject, data = f"$JS.API.STREAM.INFO.{stream}", msgspec.json.encode(request)
        answer = await client.request(subject, data, timeout=REQUEST_TIMEOUT)
    except AWAY as error:
        raise UnavailableError(f"The stream {stream} cannot be read: {error!r}") from error
    if failure := _decode_answer(answer.data).error:
        raise UnavailableError(f"The stream {stream} cannot be read: {failure.description}")
    return answer.data
