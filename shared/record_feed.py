"""The records bucket as one ordered feed: all that it holds first, then every change.

The feed pulls. At most one batch is ever on its way, so a client that is slow, or a bucket of any size, fills no
buffer: a push consumer, which nats-py's own watch uses, may have 32 MB on its way, and the server cuts off a
connection with more than `max_pending` (16 MB in nats.conf).
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
_KEY_AT = len(f"$KV.{subjects.JOBS_BUCKET}.")

# A batch ends at whichever comes first. Records are about 1 KB; larger batches were not faster.
BATCH = 500
BATCH_BYTES = 2 * 1024 * 1024
# Seconds that a pull waits for changes before the feed pulls again, and between two signs of life meanwhile.
EXPIRES = 30.0
HEARTBEAT = 1.0
# Seconds without a message or a sign of life after which the consumer counts as lost.
SILENCE = 2 * HEARTBEAT + 1
# Seconds after which the server removes the consumer of a client that is gone.
ABANDONED = 60.0

# The headers that mark a deletion: by a client, and by the server.
_DELETIONS = ("KV-Operation", "Nats-Marker-Reason")
# How the server says that a pull is over, and all is well: nothing there, expired, or full by number or bytes.
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
    """A key as it was last written.

    Attributes:
        value: None if the key was deleted.
        changed_at: by the broker's clock.
    """

    key: str
    value: bytes | None
    revision: int
    changed_at: datetime


class Batch(NamedTuple):
    """Changes in the order of their revisions; `remaining` more were there when the last one was sent."""

    changes: list[Change]
    remaining: int


class TimedEntry(NamedTuple):
    """A record, and when it was last changed by the broker's clock: the clocks of those who wrote may differ."""

    entry: Entry
    changed_at: datetime


def decode_change(change: Change) -> JobRecord | None:
    """The record that was written; None, and a line in the log, if it is none, or that of another job."""
    try:
        return record_at(change.key, change.value)
    except UNDECODABLE as error:
        log.warning("not a job record", key=change.key, error=str(error))
        return None


async def read_records(client: Client) -> AsyncGenerator[TimedEntry]:
    """Every record that can be read now; one that changes meanwhile may come twice. Raises: UnavailableError."""
    async with aclosing(read_feed(client)) as feed:
        async for changes, remaining in feed:
            for change in changes:
                if change.value is not None and (record := decode_change(change)):
                    yield TimedEntry(Entry(record, change.revision), change.changed_at)
            if not remaining:
                return


async def read_feed(client: Client, after: int = 0) -> AsyncGenerator[Batch]:
    """Every key that was last written after the revision `after`, then each change, for as long as the caller reads.

    The first batch is empty and tells how much there is. Close the generator (`contextlib.aclosing`) to end the feed.

    Raises:
        UnavailableError: if the broker is away, sends nothing, or has lost the consumer. Read again after the last
            revision that came.
    """
    js, inbox, arrivals = client.jetstream(timeout=REQUEST_TIMEOUT), client.new_inbox(), _Arrivals()
    try:
        info = await js.add_consumer(STREAM, _consumer(after))
        subscription = await client.subscribe(inbox, cb=arrivals.on_message)
        try:
            yield Batch([], info.num_pending or 0)
            while True:
                await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{info.name}", _PULL, inbox)
                async for batch in arrivals.of_one_pull():
                    yield batch
        finally:
            with suppress(nats.errors.Error, *AWAY):
                await subscription.unsubscribe()
                if not arrivals.is_lost:  # the server that has it may be the one that died: it would be waited for
                    await js.delete_consumer(STREAM, info.name)
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
    """What the server sent for the pulls of one consumer."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._remaining = 0
        self._delivered = 0  # messages of the consumer, by its own count
        self._left = 0  # messages that the present pull may still bring
        self._failure: str | None = None
        self.is_lost = False  # whether the consumer is gone, or says nothing
        self._news = asyncio.Event()

    async def on_message(self, message: Msg) -> None:
        """Take a message, or what the server says about the pull."""
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
        key, value = message.subject[_KEY_AT:], None if is_deleted else message.data
        self._changes.append(Change(key, value, metadata.sequence.stream, metadata.timestamp))
        self._remaining = metadata.num_pending
        self._left -= 1

    def _take_status(self, status: str, description: str) -> None:
        if status in _PULL_ENDED or description in _PULL_ENDED:
            self._left = 0
        elif status != StatusCode.CONTROL_MESSAGE:
            self._failure = f"{status} {description}"

    async def of_one_pull(self) -> AsyncGenerator[Batch]:
        """What comes for one pull, as it comes, until the pull has ended."""
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
            yield Batch([], 0)  # what was there may have been removed before it was sent

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(SILENCE):
                await self._news.wait()
        except TimeoutError as error:
            self.is_lost = True
            raise UnavailableError(
                f"The broker sent no records for {SILENCE:g} s. If it runs, its configuration must let this role "
                f"publish to $JS.API.CONSUMER.MSG.NEXT.{STREAM}.*, as nats.conf does."
            ) from error
        self._news.clear()
