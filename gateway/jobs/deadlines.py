"""Cancels jobs that have not ended at the time that their request named. Any number of gateways may do so."""

import asyncio

from gateway.index.job_index import JobIndex
from gateway.jobs.job_service import JobService
from gateway.problems import Problem
from shared.errors import DamagedRecordError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord

log = get_logger(__name__)

# Seconds between two looks.
INTERVAL = 0.5


class Deadlines:
    """The deadlines are in the records, so they survive a restart. They are times of the broker's clock."""

    def __init__(self, index: JobIndex, jobs: JobService) -> None:
        self._index = index
        self._jobs = jobs

    async def run(self) -> None:
        """Cancel jobs at their deadlines, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.cancel_late_jobs()

    async def cancel_late_jobs(self) -> None:
        """Cancel every job whose deadline has passed. What cannot be cancelled now is tried again."""
        for record in [entry.record for entry in self._index.unfinished() if self._is_late(entry.record)]:
            try:
                await self._jobs.cancel(record.job_id, message="Cancelled: it did not end in the time of Cancel-After")
            except (Problem, DamagedRecordError):
                continue  # it ended meanwhile, or its record is repaired first
            except UnavailableError as error:
                log.info("jobs are cancelled later", error=str(error))
                return

    def _is_late(self, record: JobRecord) -> bool:
        """A job that is stopped with its audio kept ends by itself."""
        return (
            record.cancel_at is not None and not record.keep_requested and record.cancel_at <= self._index.broker_time()
        )
