"""The events that a job already had, from MUSIC_EVENTS, for a client that was away."""

import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared import subjects
from shared.bus import AWAY
from shared.errors import UnavailableError
from shared.messages import LIFECYCLE

BATCH = 64


async def lifecycle_events(js: JetStreamContext, job_id: str) -> list[bytes]:
    """Every lifecycle event of a job that the stream still has, oldest first, as published.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    try:
        return [message.data for message in await _read(js, job_id)]
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The events of {job_id} cannot be read: {error!r}") from error


async def _read(js: JetStreamContext, job_id: str) -> list[Msg]:
    config = ConsumerConfig(
        filter_subjects=[subjects.event_subject(job_id, kind) for kind in LIFECYCLE],
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.NONE,
        mem_storage=True,
        inactive_threshold=10.0,
    )
    consumer = await js.add_consumer(subjects.EVENTS_STREAM, config)
    expected = consumer.num_pending or 0
    subscription = await js.pull_subscribe_bind(consumer=consumer.name, stream=subjects.EVENTS_STREAM)
    try:
        messages: list[Msg] = []
        while len(messages) < expected:
            messages += await subscription.fetch(min(BATCH, expected - len(messages)), timeout=2)
        return messages
    finally:
        await subscription.unsubscribe()
        await js.delete_consumer(subjects.EVENTS_STREAM, consumer.name)
