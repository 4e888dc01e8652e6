"""Puts accepted jobs into the queue, takes cancelled ones out, and publishes the gateway's events."""

from gateway.index.job_index import JobIndex
from gateway.jobs.queue_reader import QueueReader, job_at, remove_message
from shared.bounded import BoundedDict
from shared.bus import Bus
from shared.errors import QueueFullError, UnavailableError
from shared.failpoint import failpoint
from shared.logs import get_logger
from shared.messages import EventType, job_of
from shared.publisher import ensure_room, publish_event, publish_job
from shared.records import Entry

log = get_logger(__name__)

# Newest jobs whose messages are known by sequence number.
REMEMBERED = 10_000


class JobQueue:
    """Publishes jobs and their events. Publishing a job twice is harmless: the broker deduplicates by job id."""

    def __init__(self, bus: Bus, index: JobIndex) -> None:
        self._bus = bus
        self._index = index
        # Sequence numbers by job id, so that a cancellation makes room in the queue at once.
        self._messages = BoundedDict[str, int](REMEMBERED)
        self._reader = QueueReader()
        self._was_full = False

    async def enqueue(self, entry: Entry) -> None:
        """Publish the message of a job whose record exists, then its event.

        Raises:
            QueueFullError: if the queue is full.
            UnavailableError: if the broker does not answer.
        """
        await self.publish(entry)
        self._index.apply(entry)
        await self.announce(entry)

    async def check_room(self, jobs: int) -> None:
        """Refuse jobs before they have records: removing a record would leave a deletion marker in the bucket.

        For a single job, asks the broker only if the queue was full the last time.

        Raises:
            QueueFullError: if the queue is full.
            UnavailableError: if the broker does not answer.
        """
        if self._was_full or jobs > 1:
            await ensure_room(self._bus.require(), jobs)
            self._was_full = False

    async def publish(self, entry: Entry) -> None:
        """Publish the job's message only.

        Raises:
            QueueFullError, UnavailableError: as for `enqueue`.
        """
        record = entry.record
        job = job_of(record)
        try:
            sequence = await publish_job(self._bus.require(), job, record.traceparent)
        except QueueFullError:
            self._was_full = True
            raise
        failpoint("gateway.after_publish")
        self._messages[record.job_id] = sequence

    async def remove(self, job_id: str) -> None:
        """Remove a cancelled job's message. If that fails, the worker that receives it drops it."""
        sequence = self._messages.pop(job_id, None)
        try:
            js = self._bus.require()
            if sequence is None:  # another gateway published it, or this one before it was restarted
                queue = await self._reader.read(self._bus.client)
                sequence = (queue.deliverable | queue.stranded).get(job_id)
            if sequence is None:
                return
            # In a recreated stream the number belongs to another job.
            if await job_at(js, sequence) == job_id:
                await remove_message(js, sequence)
        except UnavailableError as error:
            log.info("message left in the queue", job_id=job_id, error=str(error))

    async def announce(self, entry: Entry, kind: EventType | None = None) -> bool:
        """Publish a record's event; False if that failed. Whichever process reads the record next tries again."""
        try:
            await publish_event(self._bus.require(), entry, kind)
        except UnavailableError as error:
            log.warning("event delayed", job_id=entry.record.job_id, error=str(error))
            return False
        return True
