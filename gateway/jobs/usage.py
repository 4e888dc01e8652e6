"""A download renews its audio: it changes the record, and the record that was changed the longest ago goes first."""

import time
from collections.abc import Callable

from gateway.index.record_store import RecordStore
from shared.bounded import BoundedDict
from shared.errors import ConflictError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord
from shared.storage import RENEWED_EVERY
from shared.transitions import used

log = get_logger(__name__)

# Seconds until a renewal that failed is tried again by the next download.
RETRY = 30.0
# Latest downloads that are remembered.
REMEMBERED = 10_000


class UsageTracker:
    """Renews the records of what this gateway serves, each at most every five minutes. `clock` in monotonic seconds."""

    def __init__(self, record_store: RecordStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._record_store = record_store
        self._clock = clock
        self._due = BoundedDict[str, float](REMEMBERED)

    async def touch(self, record: JobRecord) -> bool:
        """Keep a job and its audio for as long as if it were just made; False if the audio has been given up.

        To be called before a URL of it is given away: either this or the worker that gives it up is the first to
        change the record. Without NATS nothing is renewed, and what is stored is served all the same.
        """
        jobs = filter(None, (record.source, record.job_id))
        return all([await self._touch(job_id) for job_id in jobs])

    async def _touch(self, job_id: str) -> bool:
        if self._clock() < self._due.get(job_id, 0.0):
            return True
        try:
            kept, delay = await self._change(job_id), RENEWED_EVERY.total_seconds()
        except UnavailableError as error:
            log.info("download not noted", job_id=job_id, error=str(error))
            kept, delay = True, RETRY
        if kept:
            self._due[job_id] = self._clock() + delay
        return kept

    async def _change(self, job_id: str) -> bool:
        while True:
            entry = await self._record_store.fetch(job_id)
            if entry is None or not entry.record.has_audio:
                return False
            try:
                await self._record_store.update(entry, used(*entry))
            except ConflictError:
                continue  # another gateway renewed it, or it was given up: look again
            return True
