"""One run of the engine: its audio is made while the lease is watched and the progress told."""

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from shared.lifecycle import end
from worker.engine.host.engine_host import EngineHost
from worker.engine.host.generation import Generation
from worker.lease import Lease, LeaseLostError
from worker.retry import patiently

# Seconds between two reports; clients see the work move at least every half second.
REPORT_INTERVAL = 0.4


class Making:
    """Has the engine make the job of one lease; what comes of it is in `generation`.

    `is_stopping` tells whether the worker stops: it then has no time for more than the audio. `alone` is closed when
    the attempt has ended.
    """

    def __init__(
        self,
        lease: Lease,
        host: EngineHost,
        generation: Generation,
        alone: AsyncExitStack,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._lease = lease
        self._host = host
        self._generation = generation
        self._alone = alone
        self._is_stopping = is_stopping

    async def run(self) -> None:
        """Returns when all of the audio is there, or a person wants no more than there is.

        Raises:
            GenerationFailedError, EngineDiedError: if there is none because of the job, or of the engine.
            LeaseLostError: if the job is somebody else's now.
        """
        record, lease = self._lease.record, self._lease
        work = asyncio.create_task(
            self._host.generate(
                record.job_id, record.recipe, self._generation, self._enter if record.quarantined else None
            )
        )
        lost, keep = asyncio.create_task(lease.lost.wait()), asyncio.create_task(lease.keep.wait())
        report = asyncio.create_task(self._report())
        try:
            await asyncio.wait({work, lost, keep, report}, return_when=asyncio.FIRST_COMPLETED)
            for task in (work, report):
                if task.done():
                    await task
            if lost.done():
                raise LeaseLostError(record.job_id)
        finally:
            self._generation.keep = lease.keep.is_set() and not (lease.lost.is_set() or self._is_stopping())
            # The work is cancelled once: it then waits until the engine has let go of the slot.
            work.cancel()
            try:
                await asyncio.gather(work, return_exceptions=True)
            finally:
                await end((lost, keep, report))

    async def _enter(self, gate: AbstractAsyncContextManager[None]) -> None:
        """Be alone until the attempt has ended: a job that dies beside it must find it settled."""
        await self._alone.enter_async_context(gate)
        await patiently(self._lease.begin, math.inf)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_INTERVAL)
            # Encoding and uploading are still to come: 100% is for the finished job.
            await self._lease.progress(round(self._generation.progress * 0.98, 4), self._doing())

    def _doing(self) -> str:
        if self._lease.keep.is_set():
            return self._lease.record.message  # the gateway's word that it stops
        if self._generation.began is not None:
            return "Generating"
        if self._lease.record.quarantined:
            return "Waiting until the engine is free, because this job runs alone"
        return "Waiting for a job that runs alone"
