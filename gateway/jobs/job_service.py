"""Finds and cancels jobs."""

from http import HTTPStatus

from gateway import metrics
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.jobs.drafts import takes_of
from gateway.jobs.job_queue import JobQueue
from gateway.problems import Problem, unknown_job
from shared import subjects
from shared.bus import Bus
from shared.errors import ConflictError, DamagedRecordError
from shared.failpoint import failpoint
from shared.job_id import is_job_id
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus
from shared.publisher import ensure_announced
from shared.records import Entry
from shared.transitions import CANCELLED, cancelled, stopping

log = get_logger(__name__)


class JobService:
    """Finds and cancels jobs."""

    def __init__(self, bus: Bus, index: JobIndex, record_store: RecordStore, queue: JobQueue) -> None:
        self._bus = bus
        self._index = index
        self._record_store = record_store
        self._queue = queue

    async def find(self, job_id: str, viewer: str | None = None) -> JobRecord:
        """A job's record from memory, or from the bucket if another gateway has just created it.

        Raises:
            Problem: 404 if there is none that `viewer` may see.
        """
        if not is_job_id(job_id):
            raise unknown_job(job_id)
        record = self._index.record(job_id)
        if record is None and (entry := await self._fetch(job_id)):
            self._index.apply(entry)
            record = entry.record
        if record is None or not record.is_visible_to(viewer):
            raise unknown_job(job_id)
        return record

    async def fetch(self, job_id: str, viewer: str | None = None) -> Entry | None:
        """The current record in the bucket; None if there is none that `viewer` may see."""
        entry = await self._fetch(job_id)
        return entry if entry and entry.record.is_visible_to(viewer) else None

    async def _fetch(self, job_id: str) -> Entry | None:
        """The record in the bucket. A damaged record of an unknown job counts as missing: its owner is unknown."""
        try:
            return await self._record_store.fetch(job_id)
        except DamagedRecordError:
            if job_id not in self._index:
                return None
            raise  # `RecordRepair` replaces it within seconds

    async def cancel(
        self, job_id: str, keep: bool = False, viewer: str | None = None, message: str = CANCELLED
    ) -> None:
        """Cancel a queued or running job. Cancelling twice is harmless.

        Args:
            job_id: the job's id.
            keep: have the worker of a running job store the audio generated so far before the job ends.
            viewer: the name of the request's API key.
            message: of the cancelled job.

        Raises:
            Problem: 404 if there is none that `viewer` may see, 409 if it is finished.
        """
        while True:
            found = await self.fetch(job_id, viewer)
            if found is None:
                raise unknown_job(job_id)
            record = found.record
            changed = _stopped(record, keep, message)
            if changed is record:
                if record.status.is_terminal:
                    await ensure_announced(self._bus.require(), found)
                announced = True
                break
            # First announce the current state. Its writer may not have, and no event may follow the terminal one.
            await ensure_announced(self._bus.require(), found)
            try:
                entry = await self._record_store.update(found, changed)
            except ConflictError:
                continue  # a worker reported progress in between: read it again
            announced = await self._announce_stopped(entry, record)
            break
        # Only a hint that makes the worker read the record at once.
        await self._bus.client.publish(subjects.cancel_subject(job_id))
        # Remove the message only if no worker is needed: the event is published, and no claim left files behind.
        if record.status is JobStatus.QUEUED and announced and not record.claims:
            await self._queue.remove(job_id)

    async def cancel_takes(self, job_id: str, keep: bool = False, viewer: str | None = None) -> None:
        """Cancel the job and all other takes of its request that have not finished.

        Raises:
            Problem: 404 if there is no such job that `viewer` may see, 409 if all takes are finished.
        """
        refusals: list[Problem] = []
        takes = takes_of(await self.find(job_id, viewer))
        for take in takes:
            try:
                await self.cancel(take.job_id, keep, viewer)
            except Problem as refusal:  # it is finished, or its record was removed since
                refusals.append(refusal)
        if len(refusals) == len(takes):
            raise refusals[0]

    async def _announce_stopped(self, entry: Entry, before: JobRecord) -> bool:
        failpoint("gateway.after_cancel")
        record = entry.record
        if not before.keep_requested:
            metrics.cancelled(record.recipe.model)
        log.info("job cancelled", job_id=record.job_id, was=before.status.value, keep=record.keep_requested)
        return await self._queue.announce(entry, None if record.status.is_terminal else "progress")


def _stopped(record: JobRecord, keep: bool, message: str) -> JobRecord:
    """The record as a cancellation leaves it; the same object if there is nothing to change.

    Raises:
        Problem: 409 if the job is finished.
    """
    if record.status is JobStatus.CANCELLED:
        return record
    if record.status.is_terminal:
        raise Problem(HTTPStatus.CONFLICT, f"Job {record.job_id} is {record.status} already: nothing to cancel.")
    if keep and record.status is JobStatus.PROCESSING:
        return record if record.keep_requested else stopping(record)
    return cancelled(record, message)
