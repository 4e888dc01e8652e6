"""What is in the queue: which job each message is of, and whether a worker will get it."""

import asyncio
import re
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

# With more gaps than this between its messages, the whole queue is read again, and the gaps are not listed.
MAX_GAPS = 50_000

_decode = msgspec.json.Decoder(Job).decode
# What a consumer can be named after; the subjects of the stream may have more in them.
_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)


class QueueSnapshot(NamedTuple):
    """The stream at one moment.

    Attributes:
        deliverable: the sequence number of a message by its job's id, where a worker has it or will get it.
        stranded: the same where none will, because the consumer's deliveries have run out.
        last: the number of the last message that the stream ever got.
    """

    deliverable: dict[str, int]
    stranded: dict[str, int]
    last: int


class QueuedMessage(NamedTuple):
    """A message of the queue: the model it is for, and the job that it brings; None if it is no job."""

    model: str
    job_id: str | None


class QueueReader:
    """Reads the queue, each message once: what was read before is only compared with what is still there."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        self._messages: dict[int, QueuedMessage] = {}
        self._created: datetime | None = None
        self._read_to = 0

    async def read(self, client: Client, given_up: Collection[int] = ()) -> QueueSnapshot:
        """Every job's message.

        Args:
            client: where from.
            given_up: numbers of messages that are known to be stranded. Of a consumer that waits for an
                acknowledgement the server cannot tell.

        Raises:
            UnavailableError: if the broker does not answer, or the stream is not there now.
        """
        async with self._reading:
            return await self._read(client, given_up)

    async def _read(self, client: Client, given_up: Collection[int]) -> QueueSnapshot:
        js, look = client.jetstream(timeout=REQUEST_TIMEOUT), await read_stream(client, subjects.JOBS_STREAM)
        await self._drop_removed(client, look)
        try:
            await self._read_new(js, look.state.last_seq)
            limits = {model: await _delivered(js, model) for model in {each.model for each in self._messages.values()}}
        except (nats.js.errors.APIError, *AWAY) as error:
            raise UnavailableError(f"The queue cannot be read: {error!r}") from error
        queue = QueueSnapshot({}, {}, look.state.last_seq)
        for number, (model, job_id) in self._messages.items():
            if job_id is not None:
                is_stranded = number in given_up or number <= limits[model]
                (queue.stranded if is_stranded else queue.deliverable)[job_id] = number
        return queue

    async def _drop_removed(self, client: Client, look: StreamSnapshot) -> None:
        is_another = look.created != self._created or look.state.last_seq < self._read_to
        if is_another or look.state.num_deleted > MAX_GAPS:
            self._messages, self._created, self._read_to = {}, look.created, 0
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
            self._read_to, model = message.seq or last, (message.subject or "").split(".")[2]
            if _NAME.fullmatch(model):
                self._messages[self._read_to] = QueuedMessage(model, _job_id(message))
            else:
                log.warning("no worker gets this message: remove it", subject=message.subject, sequence=message.seq)


async def remove_message(js: JetStreamContext, sequence: int) -> None:
    """Take a message from the queue; one that is not there any more is fine.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    try:
        await js.delete_msg(subjects.JOBS_STREAM, sequence)
    except (nats.js.errors.APIError, *AWAY) as error:
        # For a message that is not there the server has no error of its own.
        if await _message_at(js, sequence) is not None:
            raise UnavailableError(f"Message {sequence} cannot be taken from the queue: {error!r}") from error


async def job_at(js: JetStreamContext, sequence: int) -> str | None:
    """The id of the job whose message has this number; None if it is gone, or no job.

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
        return None  # a worker refuses it, and says so


async def _delivered(js: JetStreamContext, model: str) -> int:
    """The highest sequence delivered with no acknowledgement pending: up to it, no message is delivered again."""
    try:
        info = await js.consumer_info(subjects.JOBS_STREAM, subjects.consumer_name(model))
    except nats.js.errors.NotFoundError:
        return 0
    return 0 if info.num_ack_pending or info.delivered is None else info.delivered.stream_seq
