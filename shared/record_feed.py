"""The records bucket as one ordered feed: its present content first, then every change.

The feed pulls, with at most one batch in flight, so a slow client or a large bucket cannot overrun a buffer. A push
consumer, which nats-py's own watch uses, may have 32 MB in flight, and the server drops connections with more than
`max_pending` (16 MB in nats.conf).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import datetime
from typing import NamedTuple

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header, StatusCode

from shared import subjects
from shared.bus import AWAY, REQUEST_TIMEOUT
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE, JobRecord
from shared.records import Entry, record_at

log = get_logger(__name__)

STREAM = f"KV_{subjects.JOBS_BUCKET}"

# Limits of a batch. Records are about 1 KB; larger batches were not faster.
BATCH = 500
BATCH_BYTES = 2 * 1024 * 1024
# Seconds that a pull waits for changes before the feed pulls again, and between idle heartbeats meanwhile.
EXPIRES = 30.0
HEARTBEAT = 1.0
# Seconds without a message or heartbeat after which the consumer counts as lost.
SILENCE = 2 * HEARTBEAT + 1
# Seconds after which the server removes the consumer of a dead client.
ABANDONED = 60.0

# The headers that mark a deletion: by a client, and by the server.
_DELETIONS = ("KV-Operation", "Nats-Marker-Reason")
# Normal ends of a pull: no messages, expired, or a limit by number or bytes reached.
_PULL_ENDED = (
    StatusCode.NO_MESSAGES,
    StatusCode.REQUEST_TIMEOUT,
    "Batch Completed",
    "Message Size Exceeds MaxBytes",
)
_NANOSECONDS = 1_000_000_000
_PULL = msgspec.json.encode(
    {
        "batch": BATCH,
        "max_bytes": BATCH_BYTES,
        "expires": int(EXPIRES * _NANOSECONDS),
        "idle_heartbeat": int(HEARTBEAT * _NANOSECONDS),
    }
)


class Change(NamedTuple):
    """The last write to a key.

    Attributes:
        value: None if the key was deleted.
        changed_at: by the broker's clock.
    """

    key: str
    value: bytes | None
    revision: int
    changed_at: datetime


class Batch(NamedTuple):
    """Changes in the order of their revisions; `remaining` counts those still to come when the last one was sent."""

    changes: list[Change]
    remaining: int


class TimedEntry(NamedTuple):
    """A record with the time of its last change by the broker's clock, because the writers' clocks may differ."""

    entry: Entry
    changed_at: datetime


def decode_change(change: Change) -> JobRecord | None:
    """The record that was written; None, with a log line, if the value is not a valid record of this key."""
    try:
        return record_at(change.key, change.value)
    except UNDECODABLE as error:
        log.warning("invalid job record", key=change.key, error=str(error))
        return None


async def read_records(client: Client) -> AsyncGenerator[TimedEntry]:
    """All valid records; one that changes while being read may appear twice. Raises: UnavailableError."""
    async with aclosing(read_feed(client)) as feed:
        async for changes, remaining in feed:
            for change in changes:
                if change.value is not None and (record := decode_change(change)):
                    yield TimedEntry(Entry(record, change.revision), change.changed_at)
            if not remaining:
                return


async def read_feed(client: Client, after: int = 0, bucket: str = subjects.JOBS_BUCKET) -> AsyncGenerator[Batch]:
    """Yield every key last written after the revision `after`, then each change, until the caller closes the generator.

    The first batch is empty and says how many changes follow. Close the generator with `contextlib.aclosing`.

    Raises:
        UnavailableError: if the broker is away or silent, or lost the consumer. Call again with the last revision read.
    """
    js, inbox, arrivals = client.jetstream(timeout=REQUEST_TIMEOUT), client.new_inbox(), _Arrivals(bucket)
    stream = f"KV_{bucket}"
    try:
        info = await js.add_consumer(stream, _consumer(after))
        subscription = await client.subscribe(inbox, cb=arrivals.on_message)
        try:
            yield Batch([], info.num_pending or 0)
            while True:
                await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{info.name}", _PULL, inbox)
                async for batch in arrivals.of_one_pull():
                    yield batch
        finally:
            with suppress(nats.errors.Error, *AWAY):
                await subscription.unsubscribe()
                if not arrivals.is_lost:  # its server may be the one that died; do not wait for it
                    await js.delete_consumer(stream, info.name)
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The records cannot be read: {error!r}") from error


def _consumer(after: int) -> ConsumerConfig:
    return ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        ack_policy=AckPolicy.NONE,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=ABANDONED,
    )


class _Arrivals:
    """Messages and statuses that the server sends for the pulls of one consumer."""

    def __init__(self, bucket: str) -> None:
        self._stream = f"KV_{bucket}"
        self._key_at = len(f"$KV.{bucket}.")
        self._changes: list[Change] = []
        self._remaining = 0
        self._delivered = 0  # messages received, to detect gaps
        self._left = 0  # messages that the current pull may still deliver
        self._failure: str | None = None
        self.is_lost = False  # whether the consumer is gone or silent
        self._news = asyncio.Event()

    async def on_message(self, message: Msg) -> None:
        """Handle a message or a status of the pull."""
        self._news.set()
        headers = message.headers or {}
        if status := headers.get(Header.STATUS):
            self._take_status(status, headers.get(Header.DESCRIPTION, ""))
            return
        metadata = message.metadata
        self._delivered += 1
        if metadata.sequence.consumer != self._delivered:
            self._failure = f"message {self._delivered} of the consumer did not arrive"
            return
        is_deleted = any(each in headers for each in _DELETIONS)
        key, value = message.subject[self._key_at :], None if is_deleted else message.data
        self._changes.append(Change(key, value, metadata.sequence.stream, metadata.timestamp))
        self._remaining = metadata.num_pending
        self._left -= 1

    def _take_status(self, status: str, description: str) -> None:
        if status in _PULL_ENDED or description in _PULL_ENDED:
            self._left = 0
        elif status != StatusCode.CONTROL_MESSAGE:
            self._failure = f"{status} {description}"

    async def of_one_pull(self) -> AsyncGenerator[Batch]:
        """Yield batches of one pull as they arrive, until the pull ends."""
        self._left, came = BATCH, False
        while self._left > 0:
            await self._wait()
            changes, self._changes = self._changes, []
            if changes:
                came = True
                yield Batch(changes, self._remaining)
            if self._failure:
                self.is_lost = True
                raise UnavailableError(f"The feed of the records broke off: {self._failure}.")
        if not came:
            yield Batch([], 0)  # pending records may have been removed before they were sent

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(SILENCE):
                await self._news.wait()
        except TimeoutError as error:
            self.is_lost = True
            raise UnavailableError(
                f"The broker sent no records for {SILENCE:g} s. If it runs, its configuration must let this role "
                f"publish to $JS.API.CONSUMER.MSG.NEXT.{self._stream}.*, as nats.conf does."
            ) from error
        self._news.clear()
