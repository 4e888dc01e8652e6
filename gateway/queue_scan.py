"""What is in MUSIC_JOBS, message by message. Only for a sweep that misses something: it asks once for each message."""

import re
from collections.abc import Collection
from typing import NamedTuple

import msgspec
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from shared import subjects
from shared.bus import AWAY
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE, Job

log = get_logger(__name__)

_decode = msgspec.json.Decoder(Job).decode
# What a consumer can be named after; the subjects of the stream may have more in them.
_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)


class Queue(NamedTuple):
    """The stream at one moment.

    Attributes:
        deliverable: the sequence number of a message by its job's id, where a worker has it or will get it.
        stranded: the same where none will, because the consumer's deliveries have run out.
        last: the number of the last message that the stream ever got.
    """

    deliverable: dict[str, int]
    stranded: dict[str, int]
    last: int


async def read_queue(js: JetStreamContext, given_up: Collection[int] = ()) -> Queue:
    """Every job's message.

    Args:
        js: where from.
        given_up: numbers of messages that are known to be stranded. Of a consumer that waits for an acknowledgement
            nobody else can tell.

    Raises:
        UnavailableError: if the broker does not answer, or the stream is not there now.
    """
    try:
        return await _read(js, given_up)
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The queue cannot be read: {error!r}") from error


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


async def _read(js: JetStreamContext, given_up: Collection[int]) -> Queue:
    state = (await js.stream_info(subjects.JOBS_STREAM)).state
    queue, limits = Queue({}, {}, state.last_seq), dict[str, int]()
    sequence = state.first_seq
    while sequence <= state.last_seq:
        try:
            message = await js.get_msg(subjects.JOBS_STREAM, sequence, subjects.ALL_JOBS, next=True)
        except nats.js.errors.NotFoundError:
            break
        number, model = message.seq or 0, (message.subject or "").split(".")[2]
        sequence = number + 1
        if not _NAME.fullmatch(model):
            log.warning("no worker gets this message: remove it", subject=message.subject, sequence=number)
            continue
        if model not in limits:
            limits[model] = await _given_up(js, model)
        job_id = _job_id(message)
        if job_id is not None:
            is_stranded = number in given_up or number <= limits[model]
            (queue.stranded if is_stranded else queue.deliverable)[job_id] = number
    return queue


async def _given_up(js: JetStreamContext, model: str) -> int:
    """Up to this number a model's messages were delivered, and wait for no acknowledgement: nobody gets them again."""
    try:
        info = await js.consumer_info(subjects.JOBS_STREAM, subjects.consumer_name(model))
    except nats.js.errors.NotFoundError:
        return 0
    return 0 if info.num_ack_pending or info.delivered is None else info.delivered.stream_seq
