"""Downloads extend the life of audio: retention removes the audio whose record changed longest ago."""

import time
from collections.abc import Callable

from gateway.index.record_store import RecordStore
from shared.bounded import BoundedDict
from shared.errors import ConflictError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord
from shared.storage import RENEWED_EVERY
from shared.transitions import audio_renewed

log = get_logger(__name__)

# Seconds until the next download retries a failed update.
RETRY_DELAY = 30.0
# Latest downloads that are remembered.
REMEMBERED = 10_000


class UsageTracker:
    """Updates the records of served audio, each at most every five minutes. `clock` returns monotonic seconds."""

    def __init__(self, record_store: RecordStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._record_store = record_store
        self._clock = clock
        self._due = BoundedDict[str, float](REMEMBERED)

    async def touch(self, record: JobRecord) -> bool:
        """Record a use of the job's audio, and of its source's; False if the audio has expired.

        Call it before giving out a URL: either this write or the worker's expiry comes first, and the other fails.
        While NATS is away nothing is recorded, and stored audio is served nevertheless.
        """
        jobs = filter(None, (record.source, record.job_id))
        return all([await self._touch(job_id) for job_id in jobs])

    async def _touch(self, job_id: str) -> bool:
        if self._clock() < self._due.get(job_id, 0.0):
            return True
        try:
            kept, delay = await self._change(job_id), RENEWED_EVERY.total_seconds()
        except UnavailableError as error:
            log.info("download not recorded", job_id=job_id, error=str(error))
            kept, delay = True, RETRY_DELAY
        if kept:
            self._due[job_id] = self._clock() + delay
        return kept

    async def _change(self, job_id: str) -> bool:
        while True:
            entry = await self._record_store.fetch(job_id)
            if entry is None or not entry.record.has_audio:
                return False
            try:
                await self._record_store.update(entry, audio_renewed(*entry))
            except ConflictError:
                continue  # another gateway touched it, or a worker expired it: read it again
            return True
