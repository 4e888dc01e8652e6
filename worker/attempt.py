"""One try at one job: generate, encode, store, tell. The one file to read to know what a worker does."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from shared.bus import Bus
from shared.errors import UnavailableError
from shared.failpoint import failpoint
from shared.logs import get_logger
from shared.messages import JobStatus
from shared.models import STARTER
from shared.publisher import is_announced
from shared.storage import Storage
from shared.transitions import MAX_ATTEMPTS, finished
from worker import metrics
from worker.claim import close_finished, look_again
from worker.delivery.audio_publisher import AudioFeed
from worker.delivery.delivery import Delivery, Result
from worker.delivery.spool import Files, Spool
from worker.engine.host.engine_host import EngineHost
from worker.engine.host.generation import EngineDiedError, Generation, GenerationFailedError
from worker.engine.interface import ModelInfo
from worker.lease import KeepRequestedError, Lease, LeaseLostError, acknowledge
from worker.making import Making
from worker.retry import patiently

log = get_logger(__name__)

# How long finished audio waits for S3 or NATS before the job goes back to the queue, and while the worker stops.
PATIENCE = 900.0
STOPPING_PATIENCE = 5.0
# Seconds before another try at a job whose audio could not be stored.
STORAGE_RETRY = 30.0


class Attempt:
    """Runs the job of one lease. `on_generated` is called when the engine's slot is free again."""

    def __init__(
        self,
        bus: Bus,
        lease: Lease,
        host: EngineHost,
        storage: Storage,
        spool: Spool,
        on_generated: Callable[[], None],
    ) -> None:
        assert host.info is not None, "a job is only claimed when the engine is ready"
        self._bus = bus
        self.lease = lease
        self._storage = storage
        self._delivery = Delivery(lease, storage, spool, host.info.sample_rate)
        self._on_generated = on_generated
        self._info: ModelInfo = host.info
        self._feed = AudioFeed(bus, lease, host.info)
        self._generation = Generation(self._feed.add)
        self._alone = AsyncExitStack()
        self._making = Making(lease, host, self._generation, self._alone, lambda: self.stopping)
        self._files: Files | None = None
        self._whole = False
        self._result: Result | None = None
        self.stopping = False

    async def run(self) -> None:
        """Bring the job to its end, or back to the queue. A cancelled task hands it back if `stopping` is set.

        Raises:
            UnavailableError: if a part is away for too long; the message is to be delivered again.
        """
        async with self.lease.kept_alive(), self._alone:
            try:
                await self._run()
            except LeaseLostError:
                await self._give_up()

    async def _run(self) -> None:
        try:
            await self._kept_if_asked(self._attempt)
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            await self._kept_if_asked(lambda: self._back("The worker stopped; queued again", 0, counted=False))

    async def _kept_if_asked(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except KeepRequestedError:
            await self._keep()

    async def _attempt(self) -> None:
        try:
            await self._work()
        except GenerationFailedError as error:
            await self._fail(error.kind, str(error))
        except EngineDiedError as error:
            await self._survive(error)
        except UnavailableError as error:
            await self._put_off(error)

    async def _work(self) -> None:
        record = self.lease.record
        self._check_outputs()
        self._files = await self._delivery.find()
        if self._files is None:
            log.info("generating", job_id=record.job_id, attempt=record.attempts, duration=record.recipe.duration)
            result = await self._make()
        else:
            log.info("storing what an earlier attempt made", job_id=record.job_id)
            self._on_generated()
            result = await self._store()
        failpoint("worker.after_put")
        self._check_keep()
        if result is None:
            raise GenerationFailedError("no_audio", "The model made no audio at all. Try a longer duration.")
        await self._complete(result)

    async def _make(self) -> Result | None:
        async with self._feed.opened():
            await self._making.run()
            self._on_generated()
            self._feed.finish()
            self._whole = not self.lease.keep.is_set()
            self._check_sound()
            result = await self._store()
            await self._feed.drained()
        return result

    def _check_outputs(self) -> None:
        recipe = self.lease.record.recipe
        if not set(recipe.outputs) <= set(self._info.outputs):
            raise GenerationFailedError(
                "unsupported",
                f"The model {recipe.model} gives no MIDI or stems on the engine {self._info.engine}: only models that "
                f"write scores do, such as {STARTER}, on the engine batching. Leave outputs out, or ask for one.",
            )

    def _check_sound(self) -> None:
        """Refuse to complete a job with silence; what a person stopped may be silent."""
        if self._whole and self._generation.is_silent:
            raise GenerationFailedError(
                "silent", "The model made only silence. Try another seed, or other words in the prompt."
            )

    async def _store(self) -> Result | None:
        """Encode and upload what was made, once; None if that is nothing."""
        if self._files is None and self._generation.chunks:
            self._files = await self._delivery.encode(self._generation)
        if self._result is None and self._files is not None:
            self._result = await self._delivery.store(self._files, self._patience, whole=self._whole)
        return self._result

    async def _complete(self, result: Result) -> None:
        await self._end(JobStatus.COMPLETED, "", "Generation completed successfully", result)
        audio, _, timings = result
        log.info("completed", job_id=self.lease.record.job_id, seconds=timings.generating, size=audio.size)
        model = self.lease.record.recipe.model
        metrics.AUDIO.labels(model).inc(audio.duration)
        metrics.GENERATING.labels(model).observe(timings.generating)
        metrics.ENCODING.labels(model).observe(timings.encoding)
        metrics.UPLOADING.labels(model).observe(timings.uploading)

    async def _keep(self) -> None:
        """End a job that a person stopped with what was made until then."""
        self._on_generated()
        try:
            result = await self._store()
            message = self._kept_message(result)
        except (GenerationFailedError, UnavailableError) as error:
            result, message = None, f"Job cancelled; what was made could not be kept: {error}"
        await self._end(JobStatus.CANCELLED, "kept", message, result)
        log.info("kept", job_id=self.lease.record.job_id, result=message)

    def _kept_message(self, result: Result | None) -> str:
        if result is None:
            return "Job cancelled; nothing was made"
        missing = self.lease.record.recipe.outputs and not result.outputs
        return f"Job cancelled; what was made is kept{', but no MIDI or stems of it' if missing else ''}"

    def _check_keep(self) -> None:
        if self.lease.keep.is_set():
            raise KeepRequestedError(self.lease.record.job_id)

    async def _fail(self, kind: str, reason: str) -> None:
        self._check_keep()
        log.error("generation failed", job_id=self.lease.record.job_id, kind=kind, reason=reason)
        await self._end(JobStatus.FAILED, kind, "Generation failed", None, error_message=reason)

    async def _end(
        self, status: JobStatus, reason: str, message: str, result: Result | None, error_message: str | None = None
    ) -> None:
        """Record → event → acknowledgement: whatever dies between, the next delivery does the rest."""
        audio, outputs, timings = result or (None, (), None)
        record = finished(
            self.lease.record,
            status,
            message,
            checkpoint=self._info.checkpoint,
            audio=audio,
            outputs=outputs,
            timings=timings,
            warnings=self._files.warnings if self._files else (),
            error_message=error_message,
        )
        await patiently(lambda: self.lease.finish(record), self._patience)
        failpoint("worker.after_record")
        metrics.JOBS.labels(record.recipe.model, status.value, reason).inc()
        await patiently(self.lease.announce, self._patience)
        failpoint("worker.after_event")
        await self._delivery.forget()
        if audio is None:
            # An earlier attempt may have died after its upload.
            await self._storage.remove_job(record.job_id)
        await acknowledge(self.lease.message)

    async def _survive(self, error: EngineDiedError) -> None:
        """The engine died. A job that was alone in it has used up an attempt; of several, each has to run alone."""
        record = self.lease.record
        log.warning("engine died on a job", job_id=record.job_id, attempt=record.attempts, jobs=error.jobs)
        if error.jobs > 1:
            await self._back(f"{error} Trying again, alone.", 1, counted=False, quarantined=True)
        else:
            await self._back(f"{error} Trying again after attempt {record.attempts}.", 1, counted=error.jobs == 1)

    async def _put_off(self, error: UnavailableError) -> None:
        """Storage was away for too long. Generating it all again for ever would help nobody."""
        if self.lease.record.attempts >= MAX_ATTEMPTS:
            await self._fail("storage", f"The audio could not be stored: {error} Then send the job again.")
        else:
            message = f"The audio could not be stored, trying again: {error}"
            await self._back(message, STORAGE_RETRY, counted=not self.stopping)

    async def _back(self, message: str, delay: float, *, counted: bool, quarantined: bool = False) -> None:
        self._check_keep()
        log.info("handing back", job_id=self.lease.record.job_id, reason=message)
        try:
            await self.lease.hand_back(message, delay, counted=counted, quarantined=quarantined)
        except UnavailableError as error:
            # The lease runs out by itself, and the job is delivered again.
            log.warning("not handed back", job_id=self.lease.record.job_id, error=str(error))

    async def _give_up(self) -> None:
        """Somebody else decided: leave nothing behind, and touch nothing that is now another's."""
        entry = await self.lease.current()
        log.info("lease lost", job_id=self.lease.record.job_id, now=entry.record.status.value if entry else "gone")
        if entry is not None and entry.record.status.is_terminal:
            await self._delivery.forget()
            if await is_announced(self._bus.js, entry):
                await close_finished(self._bus.js, self.lease.message, entry, self._storage)
            else:
                await look_again(self.lease.message)

    @property
    def _patience(self) -> float:
        return STOPPING_PATIENCE if self.stopping else PATIENCE
