"""One try at one job: generate, encode, store, tell. The one file to read to know what a worker does."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from nats.js import JetStreamContext
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from shared.errors import UnavailableError
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import Audio, JobRecord, JobStatus, Recipe, Timings, now
from shared.storage import Storage
from shared.version import VERSION
from worker import metrics
from worker.claim import close_finished
from worker.engine.generation import EngineDiedError, Generation, GenerationFailedError
from worker.engine.host import EngineHost
from worker.engine.interface import Samples
from worker.lease import Lease, LeaseLostError, acknowledge
from worker.wav import encode_wav

log = get_logger(__name__)

T = TypeVar("T")

# Seconds between two reports; clients see the work move at least every half second.
REPORT_INTERVAL = 0.4
# How long finished audio waits for S3 or NATS before the job goes back to the queue.
PATIENCE = 900.0
# Object metadata is limited to 2 KB in all.
METADATA_LIMIT = 1800


class Attempt:
    """Runs the job of one lease. `on_generated` is called when the engine's slot is free again."""

    def __init__(
        self,
        js: JetStreamContext,
        lease: Lease,
        host: EngineHost,
        storage: Storage,
        on_generated: Callable[[], None],
    ) -> None:
        self._js = js
        self.lease = lease
        self._host = host
        self._storage = storage
        self._on_generated = on_generated
        self.stopping = False

    async def run(self) -> None:
        """Bring the job to its end, or back to the queue. A cancelled task hands it back if `stopping` is set."""
        try:
            async with self.lease.kept_alive():
                await self._work()
        except LeaseLostError:
            await self._give_up()
        except GenerationFailedError as error:
            await self._fail(error.kind, str(error))
        except EngineDiedError as error:
            log.warning("engine died on a job", job_id=self.lease.record.job_id, attempt=self.lease.record.attempts)
            guilty = error.jobs > 0
            await self._back(f"{error} Trying again after attempt {self.lease.record.attempts}.", 1, counted=guilty)
        except UnavailableError as error:
            await self._back(f"The audio could not be stored, trying again: {error}", 30, counted=False)
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            await self._back("The worker stopped; queued again", 0, counted=False)

    async def _work(self) -> None:
        record = self.lease.record
        recipe = record.recipe
        log.info("generating", job_id=record.job_id, attempt=record.attempts, duration=recipe.duration)
        started = time.perf_counter()
        samples = await self._generate()
        generated = time.perf_counter()
        self._on_generated()
        data = await self._encode(samples)
        encoded = time.perf_counter()
        audio = await self._store(data, samples)
        stored = time.perf_counter()
        timings = Timings(
            generating=round(generated - started, 3),
            encoding=round(encoded - generated, 3),
            uploading=round(stored - encoded, 3),
        )
        await self._complete(audio, timings)

    async def _generate(self) -> Samples:
        record, generation = self.lease.record, Generation()
        work = asyncio.create_task(self._host.generate(record.job_id, record.recipe, generation))
        lost = asyncio.create_task(self.lease.lost.wait())
        report = asyncio.create_task(self._report(generation))
        try:
            await asyncio.wait({work, lost, report}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
                return generation.samples()
            if report.done():
                await report
            raise LeaseLostError(record.job_id)
        finally:
            # The work is cancelled once: it then waits until the engine has let go of the slot.
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await end((lost, report))

    async def _report(self, generation: Generation) -> None:
        while True:
            await asyncio.sleep(REPORT_INTERVAL)
            # Encoding and uploading are still to come: 100% is for the finished job.
            await self.lease.progress(round(generation.progress * 0.98, 4), "Generating")

    async def _encode(self, samples: Samples) -> bytes:
        recipe = self.lease.record.recipe
        rate = self._sample_rate
        try:
            return await asyncio.to_thread(encode_wav, samples, rate, recipe.sample_format, recipe.seed)
        except ValueError as error:
            raise GenerationFailedError("invalid_audio", str(error)) from error

    async def _store(self, data: bytes, samples: Samples) -> Audio:
        job_id = self.lease.record.job_id
        checksum = hashlib.sha256(data).hexdigest()
        metadata = recipe_metadata(self.lease.record.recipe) | {"sha256": checksum}
        # Looked at just before, so that an attempt that was frozen does not overwrite its successor's audio.
        await self.lease.check()
        if self.lease.lost.is_set():
            raise LeaseLostError(job_id)
        key = await self._patiently(lambda: self._storage.put_audio(job_id, data, metadata), "The audio waits for S3")
        return Audio(
            key=key,
            size=len(data),
            duration=round(len(samples) / self._sample_rate, 6),
            sample_rate=self._sample_rate,
            channels=samples.shape[1],
            sha256=checksum,
        )

    async def _complete(self, audio: Audio, timings: Timings) -> None:
        model = self.lease.record.recipe.model
        done = self.lease.draft(
            status=JobStatus.COMPLETED,
            progress=1.0,
            message="Generation completed successfully",
            completed_at=now(),
            audio=audio,
            timings=timings,
        )
        await self._end(done)
        log.info("completed", job_id=self.lease.record.job_id, seconds=timings.generating, size=audio.size)
        metrics.JOBS.labels(model, "completed", "").inc()
        metrics.AUDIO.labels(model).inc(audio.duration)
        metrics.GENERATING.labels(model).observe(timings.generating)
        metrics.ENCODING.labels(model).observe(timings.encoding)
        metrics.UPLOADING.labels(model).observe(timings.uploading)

    async def _end(self, record: JobRecord) -> None:
        """Record → event → acknowledgement: whatever dies between, the next delivery does the rest."""
        await self._patiently(lambda: self.lease.write(record))
        await self._patiently(self.lease.announce)
        await acknowledge(self.lease.message)

    async def _fail(self, kind: str, reason: str) -> None:
        record = self.lease.record
        log.error("generation failed", job_id=record.job_id, kind=kind, reason=reason)
        failed = self.lease.draft(
            status=JobStatus.FAILED, message="Generation failed", error_message=reason, completed_at=now()
        )
        try:
            await self._end(failed)
        except LeaseLostError:
            await self._give_up()
            return
        metrics.JOBS.labels(record.recipe.model, "failed", kind).inc()

    async def _back(self, message: str, delay: float, *, counted: bool) -> None:
        log.info("handing back", job_id=self.lease.record.job_id, reason=message)
        try:
            await self.lease.hand_back(message, delay, counted=counted)
        except LeaseLostError:
            await self._give_up()
        except UnavailableError as error:
            # The lease runs out by itself, and the job is delivered again.
            log.warning("not handed back", job_id=self.lease.record.job_id, error=str(error))

    async def _give_up(self) -> None:
        """Somebody else decided: leave nothing behind, and touch nothing that is now another's."""
        entry = await self.lease.current()
        log.info("lease lost", job_id=self.lease.record.job_id, now=entry.record.status.value if entry else "gone")
        if entry is not None and entry.record.status.is_terminal:
            await close_finished(self._js, self.lease.message, entry, self._storage)

    async def _patiently(self, action: Callable[[], Awaitable[T]], waiting: str | None = None) -> T:
        """Do it, and while a part is away do it again for a quarter of an hour; the audio is kept meanwhile."""
        trying = AsyncRetrying(
            retry=retry_if_exception_type(UnavailableError),
            wait=wait_exponential_jitter(multiplier=0.5, max=10),
            stop=stop_after_delay(PATIENCE),
            reraise=True,
        )
        async for attempt in trying:
            with attempt:
                if waiting and attempt.retry_state.attempt_number > 1:
                    await self.lease.progress(self.lease.record.progress, waiting)
                return await action()
        raise AssertionError("tenacity either returns or raises")

    @property
    def _sample_rate(self) -> int:
        info = self._host.info
        assert info is not None
        return info.sample_rate


def recipe_metadata(recipe: Recipe) -> dict[str, str]:
    """The recipe as object metadata: ASCII, and without the prompt where that would exceed S3's limit."""
    fields = msgspec.to_builtins(recipe)
    text = _ascii_json(fields)
    if len(text) > METADATA_LIMIT:
        text = _ascii_json(fields | {"prompt": None})
    return {"recipe": text, "generator": f"tellurstori-musicgen {VERSION}"}


def _ascii_json(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))
