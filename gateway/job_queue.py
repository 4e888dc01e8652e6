"""The way of accepted jobs into the queue, and what is told of them."""

import nats.js.errors

from gateway.job_index import JobIndex
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import UnavailableError
from shared.failpoint import failpoint
from shared.logs import get_logger
from shared.messages import EventType, Job
from shared.publisher import publish_event, publish_job
from shared.records import Entry

log = get_logger(__name__)

# The messages of so many of the newest jobs are known by number.
REMEMBERED = 10_000


class JobQueue:
    """Publishes jobs and their events. Publishing a job again is harmless: the broker knows it by its id."""

    def __init__(self, bus: Bus, index: JobIndex) -> None:
        self._bus = bus
        self._index = index
        self._messages: dict[str, int] = {}

    async def enqueue(self, entry: Entry) -> None:
        """Queue a job whose record says so, and announce that.

        Raises:
            QueueFullError: if the queue holds as many jobs as it may.
            UnavailableError: if the broker does not answer.
        """
        await self.publish(entry)
        self._index.apply(entry)
        await self.announce(entry)

    async def publish(self, entry: Entry) -> None:
        """The job's message alone.

        Raises:
            QueueFullError, UnavailableError: as for `enqueue`.
        """
        record = entry.record
        job = Job(job_id=record.job_id, recipe=record.recipe, created_at=record.created_at)
        sequence = await publish_job(self._bus.require(), job, record.traceparent)
        failpoint("gateway.after_publish")
        self._remember(record.job_id, sequence)

    def _remember(self, job_id: str, sequence: int) -> None:
        """Where the job's message is, so that cancelling makes room in the queue at once."""
        self._messages[job_id] = sequence
        if len(self._messages) > REMEMBERED:
            del self._messages[next(iter(self._messages))]

    async def remove(self, job_id: str) -> None:
        """Take a cancelled job's message away. Where that fails, the worker that gets it will."""
        sequence = self._messages.pop(job_id, None)
        if sequence is None:
            return
        try:
            await self._bus.js.delete_msg(subjects.JOBS_STREAM, sequence)
        except (nats.js.errors.APIError, *AWAY) as error:
            log.info("message left in the queue", job_id=job_id, error=repr(error))

    async def announce(self, entry: Entry, kind: EventType | None = None) -> bool:
        """Publish the event that tells of a record; False if that failed. Who finds the state later does it too."""
        try:
            await publish_event(self._bus.require(), entry, kind)
        except UnavailableError as error:
            log.warning("event delayed", job_id=entry.record.job_id, error=str(error))
            return False
        return True
