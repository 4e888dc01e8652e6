"""One attempt at one job: generate, produce, store, finish. Every way in which it can end is in `Attempt.run`."""

import asyncio
import math
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, aclosing
from typing import Any

from shared import tracing
from shared.bus import Bus
from shared.errors import ModelUnavailableError, UnavailableError
from shared.failpoint import failpoint
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import JobStatus, Recipe
from shared.publisher import is_announced
from shared.storage import Storage
from shared.transitions import MAX_ATTEMPTS, finished
from worker import metrics
from worker.capabilities import check_possible
from worker.claim import close_finished, redeliver_later
from worker.delivery.audio_publisher import AudioPublisher
from worker.delivery.spool import Delivery, Spool
from worker.delivery.uploader import Result, Uploader
from worker.engine.host.engine_host import EngineHost
from worker.engine.host.engine_job import EngineDiedError, EngineJob, GenerationFailedError
from worker.engine.interface import ModelInfo
from worker.inputs import InputAwayError, fetch_excerpt, fetch_parent, fetch_score
from worker.lease import KeepRequestedError, Lease, LeaseLostError, acknowledge
from worker.phase import phase_of
from worker.retry import retry_until_deadline
from worker.slots import Slot
from worker.tries import Tries

log = get_logger(__name__)

# Seconds for which storing finished audio is retried before the job is queued again.
STORE_TIMEOUT = 900.0
# The same while the worker stops.
STOPPING_TIMEOUT = 5.0
# Seconds before the next attempt at a job whose audio could not be stored.
STORAGE_RETRY_DELAY = 30.0
# Seconds between two progress reports; clients see progress at least every half second.
REPORT_INTERVAL = 0.4


class Attempt:
    """Runs the job of one lease.

    Args:
        bus: the connection to NATS.
        lease: of the job, which a worker has claimed.
        host: its engine is loaded when a job asks for it.
        storage: gets the files.
        spool: keeps the files on disk while `storage` is away.
        slot: of the engine; free again while nothing is generated, and left when the take is complete.

    Attributes:
        stopping: set when the worker stops, before the task of `run` is cancelled.
    """

    def __init__(self, bus: Bus, lease: Lease, host: EngineHost, storage: Storage, spool: Spool, slot: Slot) -> None:
        self._bus = bus
        self.lease = lease
        self._host = host
        self._storage = storage
        self._uploader = Uploader(lease, storage, spool)
        self._slot = slot
        # Known once the model is loaded.
        self._info: ModelInfo | None = None
        self._publisher: AudioPublisher
        self._tries: Tries
        self._exclusive = AsyncExitStack()
        self._delivery: Delivery | None = None
        self._generated_whole = False
        self._result: Result | None = None
        self.stopping = False

    async def run(self) -> None:
        """Finish the job, or hand it back to the queue.

        Raises:
            UnavailableError: if NATS or S3 is away for too long; the message must be delivered again.
            CancelledError: unless `stopping` is set.
        """
        async with self.lease.kept_alive(), self._exclusive, aclosing(self._uploader):
            try:
                try:
                    await self._run_with_error_handling()
                except asyncio.CancelledError:
                    if not self.stopping:
                        raise
                    await self._stop()
            except LeaseLostError:
                await self._give_up()

    async def _run_with_error_handling(self) -> None:
        # The inner `except` blocks may raise KeepRequestedError as well, so they are inside this `try`.
        try:
            try:
                await self._complete(await self._generate_and_store())
            except GenerationFailedError as error:
                await self._fail(error.kind, str(error))
            except ModelUnavailableError as error:
                await self._end_without_model(error)
            except EngineDiedError as error:
                await self._retry_after_crash(error)
            except InputAwayError as error:
                await self._hand_back(f"Trying again: {error}", STORAGE_RETRY_DELAY, counted=False)
            except UnavailableError as error:
                await self._retry_after_outage(error)
        except KeepRequestedError:
            await self._keep()

    async def _generate_and_store(self) -> Result:
        self._delivery = await self._uploader.find_spooled()
        if self._delivery is None:
            result = await self._generate_streaming()
        else:
            log.info("storing the audio of an earlier attempt", job_id=self.lease.record.job_id)
            self._slot.leave()
            result = await self._produce_and_store()
        failpoint("worker.after_put")
        self._check_keep()
        if result is None:
            raise GenerationFailedError("no_audio", "The model made no audio at all. Try a longer duration.")
        return result

    async def _generate_streaming(self) -> Result | None:
        record, info = self.lease.record, await self._load()
        check_possible(record.recipe, info)
        log.info("generating", job_id=record.job_id, attempt=record.attempts, duration=record.recipe.duration)
        self._publisher = AudioPublisher(self._bus, self.lease, info)
        self._tries = Tries(record.recipe, info, self._publisher.add)
        self._info = info
        if "stems" in record.recipe.outputs:
            self._tries.job.folder = await self._uploader.open_workspace()
        async with self._publisher.opened():
            await self._watched(self._generate_in_turn())
            self._slot.leave()
            self._publisher.finish()
            self._generated_whole = not self.lease.keep.is_set()
            result = await self._produce_and_store()
            await self._publisher.drained()
        return result

    async def _load(self) -> ModelInfo:
        """Wait until the model is loaded; otherwise as `EngineHost.until_loaded` and `_watched`."""
        if not self._host.ready.is_set():
            with tracing.span("load"):
                await self._watched(self._host.until_loaded())
            self._check_keep()
        assert self._host.info is not None
        return self._host.info

    async def _watched(self, waiting_for: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as `Lease.watch`, and report the progress meanwhile."""
        lease, work, report = self.lease, asyncio.create_task(waiting_for), asyncio.create_task(self._report_progress())
        try:
            await lease.watch(work, report)
        finally:
            if self._info is not None:
                # A worker that stops has time for the audio only, not for the outputs.
                self._tries.job.keep_outputs = lease.keep.is_set() and not (lease.taken_over.is_set() or self.stopping)
            # Cancelled once: the task then waits until the engine has freed the slot.
            work.cancel()
            try:
                await asyncio.gather(work, return_exceptions=True)
            finally:
                await end((report,))

    async def _generate_in_turn(self) -> None:
        """Generate with the engine's lock, which a quarantined job takes exclusively.

        It holds the lock until the attempt ends: if another job crashes the engine next, this one is already stored.
        """
        if not self.lease.record.quarantined:
            await self._tries.run(self._generate_once)
            return
        await self._exclusive.enter_async_context(self._host.hold(exclusive=True))
        await retry_until_deadline(self.lease.enter_engine, math.inf)
        await self._tries.run(self._generate_now)

    async def _generate_once(self, recipe: Recipe, job: EngineJob) -> None:
        """One try. Then it holds neither slot nor lock, so that other jobs run while the take is fitted."""
        async with self._slot.taken(), self._host.hold(exclusive=False):
            await self._generate_now(recipe, job)

    async def _generate_now(self, recipe: Recipe, job: EngineJob) -> None:
        parent = await fetch_parent(self._storage, self.lease.record)
        excerpt = self._tries.read_parent(parent) if parent else fetch_excerpt(self._storage, self.lease.record)
        job.excerpt = await excerpt
        job.score = await fetch_score(self._storage, self.lease.record)
        await self._host.generate(self.lease.record.job_id, recipe, job)

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(REPORT_INTERVAL)
            tries = self._tries if self._info else None
            # 100% is for the finished job: encoding and uploading are still to come.
            progress = round(tries.progress * 0.98, 4) if tries else 0.0
            await self.lease.report(progress, phase_of(self.lease, self._host, self._slot, tries))

    async def _produce_and_store(self) -> Result | None:
        """Produce and upload the files, each once; None if there is no audio."""
        if self._delivery is None:
            self._delivery = await self._produce()
        if self._result is None and self._delivery is not None:
            with tracing.span("upload"):
                delivery, is_whole = self._delivery, self._generated_whole
                self._result = await self._uploader.store(delivery, self._timeout, spoolable=is_whole)
        return self._result

    async def _produce(self) -> Delivery | None:
        """Produce the files, and refuse silence, unless the client stopped the job early."""
        if self._info is None:
            return None  # stopped while the model was loading
        ended = time.perf_counter()
        take = await self._tries.take(is_whole=self._generated_whole)
        if take is None:
            return None
        delivery = await self._uploader.produce(take, round(ended - (self._tries.began or ended), 3))
        if self._generated_whole and delivery.files.is_silent:
            reason = "The model made only silence. Try another seed, or other words in the prompt."
            raise GenerationFailedError("silent", reason)
        self._tries.release_audio()
        return delivery

    async def _complete(self, result: Result) -> None:
        await self._finish(JobStatus.COMPLETED, "", "Generation completed successfully", result)
        audio, timings = result.audio, result.timings
        log.info("completed", job_id=self.lease.record.job_id, seconds=timings.generating, size=audio.size)
        metrics.observe_completed(self.lease.record, audio.duration, timings)

    async def _finish(
        self, status: JobStatus, reason: str, message: str, result: Result | None, error_message: str | None = None
    ) -> None:
        """Write the record, publish the event, acknowledge the message: after a crash, the next delivery continues.

        Args:
            status: a terminal one.
            reason: labels the metric.
            message: for the client.
            result: what was stored.
            error_message: why the job failed.
        """
        info, stored = self._info or self._host.info, {} if result is None else result._asdict()
        record = finished(
            self.lease.record,
            status,
            message,
            error_message=error_message,
            checkpoint=info and info.checkpoint,
            **stored,
        )
        await retry_until_deadline(lambda: self.lease.finish(record), self._timeout)
        failpoint("worker.after_record")
        metrics.JOBS.labels(record.recipe.model, status.value, reason).inc()
        await retry_until_deadline(self.lease.announce, self._timeout)
        failpoint("worker.after_event")
        await self._uploader.remove_spooled()
        if result is None:
            # An earlier attempt may have died after its upload.
            await self._storage.remove_job(record.job_id)
        await acknowledge(self.lease.message)

    async def _fail(self, kind: str, reason: str) -> None:
        self._check_keep()
        log.error("generation failed", job_id=self.lease.record.job_id, kind=kind, reason=reason)
        tracing.failed(kind, reason)
        await self._finish(JobStatus.FAILED, kind, "Generation failed", None, error_message=reason)

    async def _end_without_model(self, error: ModelUnavailableError) -> None:
        if error.retryable:
            await self._hand_back(f"Trying again: {error}", STORAGE_RETRY_DELAY, counted=False)
        else:
            await self._fail("model", f"The model was not loaded: {error} {error.remedy}")

    async def _retry_after_crash(self, error: EngineDiedError) -> None:
        """Count the attempt if the job was alone in the engine; otherwise quarantine the job."""
        record = self.lease.record
        log.warning("engine died on a job", job_id=record.job_id, attempt=record.attempts, jobs=error.jobs)
        tracing.failed("engine_died", str(error))
        if error.jobs > 1:
            await self._hand_back(f"{error} Trying again, alone.", 1, counted=False, quarantined=True)
        else:
            message = f"{error} Trying again after attempt {record.attempts}."
            await self._hand_back(message, 1, counted=error.jobs == 1)

    async def _retry_after_outage(self, error: UnavailableError) -> None:
        """Queue the job again; fail it after the last attempt, so that an outage does not keep the GPU busy forever."""
        if self.lease.record.attempts >= MAX_ATTEMPTS:
            await self._fail("storage", f"The audio could not be stored: {error} Then send the job again.")
        else:
            message = f"The audio could not be stored, trying again: {error}"
            tracing.failed("unavailable", message)
            await self._hand_back(message, STORAGE_RETRY_DELAY, counted=not self.stopping)

    async def _keep(self) -> None:
        """Finish a job that the client stopped, with the audio made so far."""
        self._slot.leave()
        try:
            result = await self._produce_and_store()
            message = self._kept_message(result)
        except (GenerationFailedError, UnavailableError) as error:
            result, message = None, f"Job cancelled; what was made could not be kept: {error}"
        await self._finish(JobStatus.CANCELLED, "kept", message, result)
        log.info("kept", job_id=self.lease.record.job_id, result=message)

    def _kept_message(self, result: Result | None) -> str:
        if result is None:
            return "Job cancelled; nothing was made"
        missing = self.lease.record.recipe.outputs and not result.outputs
        return f"Job cancelled; what was made is kept{', but no MIDI or stems of it' if missing else ''}"

    async def _stop(self) -> None:
        """Hand the job back because the worker stops."""
        try:
            await self._hand_back("The worker stopped; queued again", 0, counted=False)
        except KeepRequestedError:
            await self._keep()

    async def _hand_back(self, reason: str, delay: float, *, counted: bool, quarantined: bool = False) -> None:
        self._check_keep()
        log.info("handing back", job_id=self.lease.record.job_id, reason=reason)
        try:
            await self.lease.hand_back(reason, delay, counted=counted, quarantined=quarantined)
        except UnavailableError as error:
            # The lease expires, and the broker delivers the job again.
            log.warning("not handed back", job_id=self.lease.record.job_id, error=str(error))

    async def _give_up(self) -> None:
        """Another process changed the record. Close the job if it has ended; leave everything else to the new owner."""
        entry = await self.lease.current()
        log.info("lease lost", job_id=self.lease.record.job_id, now=entry.record.status.value if entry else "gone")
        if entry is not None and entry.record.status.is_terminal:
            await self._uploader.remove_spooled()
            if self.lease.has_written(entry.record) or await is_announced(self._bus.js, entry):
                await close_finished(self._bus.js, self.lease.message, entry, self._storage)
            else:
                await redeliver_later(self.lease.message)

    def _check_keep(self) -> None:
        if self.lease.keep.is_set():
            raise KeepRequestedError(self.lease.record.job_id)

    @property
    def _timeout(self) -> float:
        return STOPPING_TIMEOUT if self.stopping else STORE_TIMEOUT
