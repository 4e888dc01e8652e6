"""Publish jobs and events idempotently.

The author of a state announces it with `publish_event`. A process that finds a state which its author may have left
unannounced uses `ensure_announced`; `is_announced` only asks.
"""

from contextlib import AbstractContextManager, nullcontext

import msgspec
import nats.js.errors
from nats.js import JetStreamContext

from shared import metrics, subjects, tracing
from shared.bus import AWAY, WRONG_LAST_SEQUENCE
from shared.errors import QueueFullError, UnavailableError
from shared.messages import TERMINAL, UNDECODABLE, Event, EventType, Job, JobStatus, encode, event_of
from shared.records import Entry

_decode = msgspec.json.Decoder(Event).decode

# JetStream's error code for a stream at `max_msgs` with `discard: new`.
MAXIMUM_MESSAGES = 10077
FULL = "The queue is full. Try again when some of its jobs have finished."


async def publish_job(js: JetStreamContext, job: Job, traceparent: str | None, again: str = "") -> int:
    """Queue a job; returns the message's sequence number in the stream.

    The message id is the job id, so the broker drops duplicates for an hour.

    Args:
        js: the JetStream context.
        job: the message.
        traceparent: of the request.
        again: distinguishes this message from earlier ones of the same job when it is queued again.

    Raises:
        QueueFullError: if the queue has reached its limit.
        UnavailableError: if the broker does not answer.
    """
    message_id = f"{job.job_id}.{again}" if again else job.job_id
    subject = subjects.job_subject(job.recipe.model, job.lane)
    try:
        with tracing.sending("music.jobs", subject, message_id, job.job_id, traceparent):
            headers = {subjects.MSG_ID: message_id, **_trace(traceparent)}
            return (await js.publish(subject, encode(job), headers=headers)).seq
    except (nats.js.errors.APIError, *AWAY) as error:
        if isinstance(error, nats.js.errors.APIError) and error.err_code == MAXIMUM_MESSAGES:
            raise QueueFullError(FULL) from error
        metrics.FAILED_WRITES.labels("job").inc()
        raise UnavailableError(f"The job cannot be queued: {error!r}") from error


async def ensure_room(js: JetStreamContext, jobs: int = 1) -> None:
    """Check that the queue accepts so many jobs now.

    Raises:
        QueueFullError: if they exceed its limit.
        UnavailableError: if the broker does not answer.
    """
    try:
        info = await js.stream_info(subjects.JOBS_STREAM)
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The job cannot be queued: {error!r}") from error
    if 0 < (info.config.max_msgs or 0) < info.state.messages + jobs:
        raise QueueFullError(FULL)


async def publish_event(js: JetStreamContext, entry: Entry, kind: EventType | None = None) -> None:
    """Publish the event for a record's state. A terminal event is published exactly once.

    Args:
        js: the JetStream context.
        entry: the record and its revision, which becomes the event's `seq`.
        kind: `progress` for an event that is not part of the lifecycle.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    # Refused if the subject has another last message: find out whether that is this event.
    if not await _publish(js, entry, kind, after=0):
        await ensure_announced(js, entry)


async def ensure_announced(js: JetStreamContext, entry: Entry) -> None:
    """Publish the event for a state that another process may have announced already; exactly once.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    announced, last = await _look(js, entry)
    if not announced:
        await _publish(js, entry, None, after=last)


async def is_announced(js: JetStreamContext, entry: Entry) -> bool:
    """Whether the event for a state has been published.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    return (await _look(js, entry))[0]


async def has_ended(js: JetStreamContext, job_id: str) -> bool:
    """Whether a terminal event of the job is still in the event stream.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    for status in TERMINAL:
        try:
            await js.get_last_msg(subjects.EVENTS_STREAM, subjects.event_subject(job_id, status.value), direct=True)
        except nats.js.errors.NotFoundError:
            continue
        except (nats.js.errors.APIError, *AWAY) as error:
            raise UnavailableError(f"The events of {job_id} cannot be read: {error!r}") from error
        return True
    return False


async def _look(js: JetStreamContext, entry: Entry) -> tuple[bool, int]:
    """Whether the event for a state was published, and the sequence of the last message on its subject."""
    record = entry.record
    if record.status is JobStatus.PROCESSING and record.progress > 0:
        return True, 0  # progress is reported only after the `processing` event
    subject, last = subjects.event_subject(record.job_id, record.status.value), 0
    try:
        message = await js.get_last_msg(subjects.EVENTS_STREAM, subject, direct=True)
        last = message.seq or 0
        return _covers(_decode(message.data or b""), entry), last
    except (nats.js.errors.NotFoundError, *UNDECODABLE):
        return False, last  # no event, or a foreign message on its subject
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The events of {record.job_id} cannot be read: {error!r}") from error


def _covers(event: Event, entry: Entry) -> bool:
    """Whether an event with the record's status announces this record or a later one."""
    record, revision = entry
    if event.seq >= (record.seq or revision):
        return True
    # Published when the attempt started; reports without progress have changed the record since.
    began = record.status is JobStatus.PROCESSING and record.started_at is not None and event.at >= record.started_at
    return began and event.attempts == record.attempts


async def _publish(js: JetStreamContext, entry: Entry, kind: EventType | None, after: int) -> bool:
    """Publish an event; False if a terminal event was refused because its subject's last message is not `after`."""
    record, revision = entry
    event, headers = event_of(record, revision, kind), dict[str, str]()
    subject = subjects.event_subject(record.job_id, event.type)
    sending: AbstractContextManager[object] = nullcontext()  # progress has no span, because it is so frequent
    if kind is None:
        # A publish whose acknowledgement was lost is retried; the broker keeps one message.
        headers[subjects.MSG_ID] = message_id = f"{record.job_id}.{event.seq}"
        if record.status.is_terminal:
            # The broker remembers message ids for two minutes only, but checks this as long as the event is stored.
            headers[subjects.EXPECTED_LAST] = str(after)
        sending = tracing.sending("music.events", subject, message_id, record.job_id, record.traceparent)
    try:
        with sending:
            await js.publish(subject, encode(event), headers=headers | _trace(record.traceparent))
    except (nats.js.errors.APIError, *AWAY) as error:
        if isinstance(error, nats.js.errors.APIError) and error.err_code in WRONG_LAST_SEQUENCE:
            return False
        metrics.FAILED_WRITES.labels("event").inc()
        raise UnavailableError(f"The event of {record.job_id} cannot be published: {error!r}") from error
    return True


def _trace(traceparent: str | None) -> dict[str, str]:
    """The header with the current span, or with that of the job's request while no spans are recorded."""
    sent = tracing.current_traceparent() or traceparent
    return {subjects.TRACEPARENT: sent} if sent else {}
