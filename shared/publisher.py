"""Publishing jobs and events, so that doing it twice does it once."""

import msgspec
import nats.js.errors
from nats.js import JetStreamContext

from shared import subjects
from shared.bus import AWAY
from shared.errors import QueueFullError, UnavailableError
from shared.messages import UNDECODABLE, Event, EventType, Job, JobStatus, event_of
from shared.records import Entry

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode

# JetStream's error code for a stream at `max_msgs` with `discard: new`.
MAXIMUM_MESSAGES = 10077


async def publish_job(js: JetStreamContext, job: Job, traceparent: str | None, revision: int | None = None) -> int:
    """Queue a job; returns the message's sequence number in the stream.

    The job id as message id makes a repetition harmless for an hour.

    Args:
        js: where to.
        job: what to do.
        traceparent: of the request.
        revision: of the record, when a job that was queued before is queued again.

    Raises:
        QueueFullError: if the queue holds as many jobs as it may.
        UnavailableError: if the broker does not answer.
    """
    message_id = job.job_id if revision is None else f"{job.job_id}.{revision}"
    headers = {subjects.MSG_ID: message_id, **_trace(traceparent)}
    try:
        acknowledged = await js.publish(subjects.job_subject(job.recipe.model), _encode(job), headers=headers)
        return acknowledged.seq
    except nats.js.errors.APIError as error:
        if error.err_code == MAXIMUM_MESSAGES:
            raise QueueFullError("The queue is full. Try again when some of its jobs are done.") from error
        raise UnavailableError(f"The job cannot be queued: {error.description}") from error
    except AWAY as error:
        raise UnavailableError(f"The job cannot be queued: {error!r}") from error


async def publish_event(js: JetStreamContext, entry: Entry, kind: EventType | None = None) -> None:
    """Announce a record's state.

    Args:
        js: where to.
        entry: the record and its revision, which becomes the event's `seq`.
        kind: `progress` for one that is no step of the life cycle.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    record, revision = entry
    event = event_of(record, revision, kind)
    headers = _trace(record.traceparent)
    if kind is None:
        # A publish whose answer was lost is tried again; the broker keeps one.
        headers[subjects.MSG_ID] = f"{record.job_id}.{event.seq}"
    try:
        await js.publish(subjects.event_subject(record.job_id, event.type), _encode(event), headers=headers)
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The event of {record.job_id} cannot be published: {error!r}") from error


async def ensure_announced(js: JetStreamContext, entry: Entry) -> None:
    """Announce a state that somebody else wrote, in case they died before they could; once in any case.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    record, revision = entry
    if record.status is JobStatus.PROCESSING and record.progress > 0:
        return  # progress follows the event that processing began
    subject = subjects.event_subject(record.job_id, record.status.value)
    try:
        last = await js.get_last_msg(subjects.EVENTS_STREAM, subject, direct=True)
        announced = _decode(last.data or b"").seq >= (record.seq or revision)
    except (nats.js.errors.NotFoundError, *UNDECODABLE):
        announced = False  # not at all, or by somebody else's message
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The events of {record.job_id} cannot be read: {error!r}") from error
    if not announced:
        await publish_event(js, entry)


def _trace(traceparent: str | None) -> dict[str, str]:
    return {subjects.TRACEPARENT: traceparent} if traceparent else {}
