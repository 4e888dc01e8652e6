"""Reads the queue: the job of each message, and whether a worker will receive it."""

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import msgspec
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from shared import subjects
from shared.bus import AWAY, REQUEST_TIMEOUT
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE, Job
from shared.stream_info import StreamSnapshot, read_stream

log = get_logger(__name__)

# Beyond this number of deleted messages, the whole queue is read again instead of listing them.
MAX_GAPS = 50_000

_decode = msgspec.json.Decoder(Job).decode


class QueueSnapshot(NamedTuple):
    """The stream at one moment.

    Attributes:
        deliverable: sequence numbers by job id of messages that a worker has or will receive.
        stranded: the same for messages that will not be delivered again.
        last: the highest sequence number that the stream ever assigned.
    """

    deliverable: dict[str, int]
    stranded: dict[str, int]
    last: int


class QueuedMessage(NamedTuple):
    """A message's consumer and job; the job is None if the message cannot be decoded."""

    consumer: str
    job_id: str | None


class QueueReader:
    """Reads each message once; later reads only drop the messages that have left the queue."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        self._messages: dict[int, QueuedMessage] = {}
        self._created: datetime | None = None
        self._read_to = 0

    async def read(self, client: Client, given_up: Collection[int] = ()) -> QueueSnapshot:
        """The messages of all jobs.

        Args:
            client: the NATS client.
            given_up: sequence numbers that are known to be stranded. The server does not show them while the consumer
                waits for an acknowledgement.

        Raises:
            UnavailableError: if the broker does not answer, or the stream is missing.
        """
        async with self._reading:
            return await self._read(client, given_up)

    async def _read(self, client: Client, given_up: Collection[int]) -> QueueSnapshot:
        js, snapshot = client.jetstream(timeout=REQUEST_TIMEOUT), await read_stream(client, subjects.JOBS_STREAM)
        await self._drop_removed(client, snapshot)
        try:
            await self._read_new(js, snapshot.state.last_seq)
            consumers = {each.consumer for each in self._messages.values()}
            limits = {consumer: await _delivered(js, consumer) for consumer in consumers}
        except (nats.js.errors.APIError, *AWAY) as error:
            raise UnavailableError(f"The queue cannot be read: {error!r}") from error
        queue = QueueSnapshot({}, {}, snapshot.state.last_seq)
        for number, (consumer, job_id) in self._messages.items():
            if job_id is not None:
                is_stranded = number in given_up or number <= limits[consumer]
                (queue.stranded if is_stranded else queue.deliverable)[job_id] = number
        return queue

    async def _drop_removed(self, client: Client, snapshot: StreamSnapshot) -> None:
        is_another = snapshot.created != self._created or snapshot.state.last_seq < self._read_to
        if is_another or snapshot.state.num_deleted > MAX_GAPS:
            self._messages, self._created, self._read_to = {}, snapshot.created, 0
        elif self._messages:
            state = (await read_stream(client, subjects.JOBS_STREAM, deleted=True)).state
            self._messages = {
                number: message
                for number, message in self._messages.items()
                if number >= state.first_seq and number not in state.deleted
            }

    async def _read_new(self, js: JetStreamContext, last: int) -> None:
        while self._read_to < last:
            try:
                message = await js.get_msg(
                    subjects.JOBS_STREAM, self._read_to + 1, subject=subjects.ALL_JOBS, next=True
                )
            except nats.js.errors.NotFoundError:
                self._read_to = last
                return
            self._read_to, subject = message.seq or last, message.subject or ""
            model, lane = subjects.model_of(subject), subjects.lane_of(subject)
            if model and lane:
                consumer = subjects.consumer_name(model, lane)
                self._messages[self._read_to] = QueuedMessage(consumer, _job_id(message))
            else:
                log.warning(
                    "no worker can receive this message: remove it", subject=message.subject, sequence=message.seq
                )


async def remove_message(js: JetStreamContext, sequence: int) -> None:
    """Remove a message from the queue, present or not.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    try:
        await js.delete_msg(subjects.JOBS_STREAM, sequence)
    except (nats.js.errors.APIError, *AWAY) as error:
        # The server has no specific error for a missing message.
        if await _message_at(js, sequence) is not None:
            raise UnavailableError(f"Message {sequence} cannot be removed from the queue: {error!r}") from error


async def job_at(js: JetStreamContext, sequence: int) -> str | None:
    """The id of the job whose message has this sequence number; None if it is gone or cannot be decoded.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    message = await _message_at(js, sequence)
    return None if message is None else _job_id(message)


async def _message_at(js: JetStreamContext, sequence: int) -> RawStreamMsg | None:
    try:
        return await js.get_msg(subjects.JOBS_STREAM, sequence)
    except nats.js.errors.NotFoundError:
        return None
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"Message {sequence} of the queue cannot be read: {error!r}") from error


def _job_id(message: RawStreamMsg) -> str | None:
    try:
        return _decode(message.data or b"").job_id
    except UNDECODABLE:
        return None  # a worker refuses it with an advisory


async def _delivered(js: JetStreamContext, consumer: str) -> int:
    """Highest sequence delivered with no ack pending; up to it, messages will not be redelivered."""
    try:
        info = await js.consumer_info(subjects.JOBS_STREAM, consumer)
    except nats.js.errors.NotFoundError:
        return 0
    return 0 if info.num_ack_pending or info.delivered is None else info.delivered.stream_seq
