"""What is in MUSIC_JOBS, message by message. Only for a sweep that misses something: it asks once for each message."""

from typing import NamedTuple

import msgspec
import nats.js.errors
from nats.js import JetStreamContext

from shared import subjects
from shared.bus import AWAY
from shared.errors import UnavailableError
from shared.messages import UNDECODABLE, Job

_decode = msgspec.json.Decoder(Job).decode


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


async def read_queue(js: JetStreamContext) -> Queue:
    """Every job's message.

    Raises:
        UnavailableError: if the broker does not answer, or the stream is not there now.
    """
    try:
        return await _read(js)
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The queue cannot be read: {error!r}") from error


async def remove_message(js: JetStreamContext, sequence: int) -> None:
    """Take a message from the queue; one that is not there any more is fine.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    try:
        await js.delete_msg(subjects.JOBS_STREAM, sequence)
    except nats.js.errors.NotFoundError:
        return
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"Message {sequence} cannot be taken from the queue: {error!r}") from error


async def _read(js: JetStreamContext) -> Queue:
    state = (await js.stream_info(subjects.JOBS_STREAM)).state
    queue, given_up = Queue({}, {}, state.last_seq), dict[str, int]()
    sequence = state.first_seq
    while sequence <= state.last_seq:
        try:
            message = await js.get_msg(subjects.JOBS_STREAM, sequence, subjects.ALL_JOBS, next=True)
        except nats.js.errors.NotFoundError:
            break
        number, model = message.seq or 0, (message.subject or "").split(".")[2]
        sequence = number + 1
        if model not in given_up:
            given_up[model] = await _given_up(js, model)
        try:
            job_id = _decode(message.data or b"").job_id
        except UNDECODABLE:
            continue  # a worker refuses it, and says so
        (queue.stranded if number <= given_up[model] else queue.deliverable)[job_id] = number
    return queue


async def _given_up(js: JetStreamContext, model: str) -> int:
    """Up to this number a model's messages were delivered, and wait for no acknowledgement: nobody gets them again."""
    try:
        info = await js.consumer_info(subjects.JOBS_STREAM, subjects.consumer_name(model))
    except nats.js.errors.NotFoundError:
        return 0
    return 0 if info.num_ack_pending or info.delivered is None else info.delivered.stream_seq
