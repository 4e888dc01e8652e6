"""Runs the engine process of one model: starts it, restarts it after a crash, and passes jobs to it."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, suppress

from msgspec.structs import replace

from shared import tracing
from shared.errors import DiskError, ModelUnavailableError, MusicgenError
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import Recipe
from shared.models import model_name
from shared.worker_info import WorkerState
from worker import metrics
from worker.engine.host.engine_job import EngineDiedError, EngineJob, GenerationFailedError
from worker.engine.host.exclusive_lock import ExclusiveLock
from worker.engine.host.launch import process_memory, start_process
from worker.engine.host.watchdog import until_hung
from worker.engine.interface import EngineSettings, ModelInfo
from worker.engine.protocol import (
    Cancel,
    Failed,
    FromEngine,
    Generate,
    LoadFailed,
    Loading,
    Ready,
    RowsInUse,
    Start,
    ToEngine,
    pack,
    read_from_engine,
)

log = get_logger(__name__)

# Seconds before each restart after consecutive crashes; the last one repeats.
BACKOFF = (1.0, 2.0, 5.0, 15.0, 30.0)
RETRY_LOADING = 60.0
# An engine that has not freed the slot of a cancelled job after this time is stuck, and is restarted.
CANCEL_TIMEOUT = 10.0
# The same when the client keeps the audio, plus one second per second of audio: rendering stems takes time.
KEEP_TIMEOUT = 60.0
# Seconds between the end of the connection and the exit of the process.
EXIT_TIMEOUT = 2.0


class EngineHost:
    """Keeps one engine process running, from `start` to `stop`.

    Args:
        settings: of the engine.
        on_change: called whenever `state` or `message` changed.
        hang_timeout: seconds within which every running job must make progress; otherwise the process hangs and is
            restarted.

    Attributes:
        ready: set while the model is loaded.
        info: of the model that was loaded last.
        load_error: why the model could not be loaded the last time.
        awaiting: jobs that wait until the model is loaded.
    """

    def __init__(self, settings: EngineSettings, on_change: Callable[[], None], hang_timeout: float = 300.0) -> None:
        self._settings = settings
        self._on_change = on_change
        self._hang_timeout = hang_timeout
        self._jobs: dict[str, EngineJob] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._crashes = 0
        self._lock = ExclusiveLock()
        # Whether the worker killed the process: then its jobs have failed already.
        self._killed = False
        self._model = model_name(settings.model)
        self._running: asyncio.Task[None] | None = None
        # Set when the model is loaded, or could not be.
        self._settled = asyncio.Event()
        self.load_error: MusicgenError | None = None
        self.awaiting = 0
        self.ready = asyncio.Event()
        self.state = WorkerState.LOADING
        self.message = "Starting the engine"
        self.remedy: str | None = None
        self.info: ModelInfo | None = None
        self.slots = 0

    @property
    def is_started(self) -> bool:
        return self._running is not None

    def start(self) -> None:
        """Start the engine, and restart it whenever it ends."""
        assert self._running is None
        self._running = asyncio.create_task(self._run())
        self._running.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End the engine: when this returns, its process and its memory are gone."""
        if self._running is not None:
            await end((self._running,))
            if self._process is not None:
                await self._process.wait()
            self._running = None
            self._on_change()

    def raise_error(self) -> None:
        """Raise the error that keeps the engine from running at all, such as an OSError if no process can start."""
        if self._running is not None and self._running.done() and not self._running.cancelled():
            self._running.result()

    def _ended(self, running: asyncio.Task[None]) -> None:
        if not running.cancelled():
            self._settled.set()
        self._on_change()

    async def until_settled(self) -> None:
        """Wait until the engine has loaded its model.

        Raises:
            ModelUnavailableError: if it cannot.
            EngineDiedError: if its process died meanwhile.
            Exception: as `raise_error`.
        """
        await self._settled.wait()
        self.raise_error()
        if self.load_error is not None:
            raise self.load_error

    async def until_loaded(self) -> None:
        """Wait until the model was loaded, and count the waiting job in `awaiting`. A later crash is for `generate`.

        Raises:
            ModelUnavailableError, EngineDiedError: as `until_settled`.
        """
        self.awaiting += 1
        self._on_change()
        try:
            await self.until_settled()
        finally:
            self.awaiting -= 1

    @property
    def memory(self) -> int:
        """Bytes of the engine on its GPU, or of its process in main memory; 0 while there is none."""
        if self._process is None or self._process.returncode is not None:
            return 0
        return (self.info.gpu_bytes if self.info else 0) or process_memory(self._process.pid)

    async def _run(self) -> None:
        try:
            while True:
                await self._run_once()
                delay = RETRY_LOADING
                if self.state is not WorkerState.FAILED:
                    delay = BACKOFF[min(self._crashes, len(BACKOFF) - 1)]
                    self._crashes += 1
                    metrics.ENGINE_DEATHS.inc()
                    self._set(WorkerState.LOADING, f"The engine died and starts again in {delay:g} s")
                await asyncio.sleep(delay)
        finally:
            self._settled.clear()
            self._kill()

    def hold(self, *, exclusive: bool) -> AbstractAsyncContextManager[None]:
        """Wait until jobs may enter the engine, which during the block has no others if `exclusive`."""
        return self._lock.hold(exclusive=exclusive)

    async def generate(self, job_id: str, recipe: Recipe, job: EngineJob) -> None:
        """Generate the audio of one job, for a caller that holds the engine (`hold`).

        Cancelling the call frees the slot and leaves in `job` what was made so far.

        Args:
            job_id: identifies the job to the engine process.
            recipe: what to generate.
            job: receives the audio, then the outputs; after a cancel, the outputs only if `job.keep_outputs` is set.

        Raises:
            EngineDiedError: if the engine process ended meanwhile.
            GenerationFailedError: if the engine cannot do this job.
            DiskError: if the engine cannot write a stem to the disk.
        """
        with tracing.span("generate", attributes={"musicgen.job.id": job_id, "musicgen.duration": recipe.duration}):
            try:
                await self._generate(job_id, recipe, job)
            finally:
                for stage in job.stages:
                    tracing.past_span(stage.name, stage.began, stage.ended, {"musicgen.busy": stage.busy})

    async def _generate(self, job_id: str, recipe: Recipe, job: EngineJob) -> None:
        job.began = time.perf_counter()
        self._jobs[job_id] = job
        try:
            folder = str(job.folder) if job.folder else None
            await self._send(Generate(job_id, recipe, folder, job.excerpt, job.score))
            outcome = await asyncio.shield(job.outcome)
        except asyncio.CancelledError:
            keeps = job.keep_outputs and bool(recipe.outputs)
            timeout = KEEP_TIMEOUT + recipe.duration if keeps else CANCEL_TIMEOUT
            await self._cancel(job_id, job, keeps, timeout)
            raise
        finally:
            self._jobs.pop(job_id, None)
        if isinstance(outcome, Failed):
            if outcome.kind == "disk":
                raise DiskError(outcome.reason)
            raise GenerationFailedError(outcome.kind, outcome.reason)
        self._crashes = 0

    async def _cancel(self, job_id: str, job: EngineJob, keep: bool, max_seconds: float) -> None:
        try:
            await self._send(Cancel(job_id, keep))
            async with asyncio.timeout(max_seconds):
                await asyncio.shield(job.outcome)
        except EngineDiedError:
            pass  # the slot is free as well
        except TimeoutError:
            log.error("engine stuck, restarting it", job_id=job_id)
            self._restart("The engine was stuck and starts again.", ())

    async def _watch(self) -> None:
        """Restart an engine that hangs; the jobs without progress may have caused it, as in a crash."""
        suspected = await until_hung(self._unfinished, self._hang_timeout)
        log.error("engine hangs, restarting it", timeout=self._hang_timeout, jobs=len(suspected))
        metrics.ENGINE_HANGS.inc()
        self._restart(f"The engine hung: it made nothing for {self._hang_timeout:g} s and starts again.", suspected)

    def _restart(self, reason: str, suspected: Collection[EngineJob]) -> None:
        """Kill the process; `run` starts it again. Its jobs fail at once.

        They do not wait for the exit, because a process that is stuck in a driver call exits late.
        """
        self._killed = True
        self.ready.clear()
        self._set(WorkerState.LOADING, reason)
        self._fail_unfinished(reason, suspected)
        self._kill()

    async def _run_once(self) -> None:
        self._settled.clear()
        self.load_error = None
        self._set(WorkerState.LOADING, "Starting the engine")
        self._killed = False
        reader, self._writer, self._process = await start_process(self._settings.device)
        watch = asyncio.create_task(self._watch())
        try:
            # The process sees only the GPU that a device such as cuda:1 names.
            await self._send(Start(replace(self._settings, device=self._settings.device.partition(":")[0])))
            while True:
                self._receive(await read_from_engine(reader))
        except (asyncio.IncompleteReadError, ConnectionError, EngineDiedError):
            pass
        finally:
            self.ready.clear()
            metrics.ENGINE_ROWS.labels(self._model).set(0)
            metrics.ENGINE_CACHE.labels(self._model).set(0)
            self._writer.close()
            await end((watch,))
            suspected = [] if self._killed else self._unfinished()
            code = await self._exit_code(self._process)
            log.warning("engine ended", exit_code=code, state=self.state.value, jobs=len(suspected))
            self._fail_unfinished(f"The engine died (exit code {code}).", suspected)
            if not self._settled.is_set():
                self._settle(EngineDiedError(f"The engine died (exit code {code}) while it loaded the model.", 1))

    def _settle(self, error: MusicgenError | None = None) -> None:
        self.load_error = error
        self._settled.set()

    def _unfinished(self) -> list[EngineJob]:
        return [each for each in self._jobs.values() if not each.outcome.done()]

    def _fail_unfinished(self, reason: str, suspected: Collection[EngineJob]) -> None:
        """Fail the jobs that were in the engine; suspects get the number of suspects, the others 0."""
        for job in self._unfinished():
            jobs = len(suspected) if job in suspected else 0
            job.outcome.set_exception(EngineDiedError(reason, jobs))
            job.outcome.exception()  # retrieved here: asyncio logs it otherwise, if the caller was cancelled

    def _receive(self, message: FromEngine) -> None:
        match message:
            case Loading(text):
                self._set(WorkerState.LOADING, text)
            case Ready(info, slots):
                named = self._settings.device
                self.info, self.slots = replace(info, device=named) if ":" in named else info, slots
                metrics.ENGINE_CACHE.labels(self._model).set(info.cache_bytes)
                self.ready.set()
                self._settle()
                self._set(WorkerState.READY, f"Ready on {self.info.device}")
            case LoadFailed(reason, remedy, retryable):
                again = f" It is tried again every {RETRY_LOADING:g} seconds." if retryable else ""
                self._settle(ModelUnavailableError(reason, remedy, retryable=retryable))
                self._set(WorkerState.FAILED, reason, remedy + again)
            case RowsInUse(rows):
                metrics.ENGINE_ROWS.labels(self._model).set(rows)
            case _:
                job = self._jobs.get(message.job_id)
                if job:
                    job.receive(message)

    def _set(self, state: WorkerState, message: str, remedy: str | None = None) -> None:
        self.state, self.message, self.remedy = state, message, remedy
        log.info("engine", state=state.value, detail=message, remedy=remedy)
        self._on_change()

    async def _send(self, message: ToEngine) -> None:
        if self._writer is None or self._writer.is_closing():
            raise EngineDiedError("The engine is not running.", 0)
        try:
            self._writer.write(pack(message))
            await self._writer.drain()
        except ConnectionError as error:
            raise EngineDiedError("The engine ended before it got the job.", 0) from error

    async def _exit_code(self, process: asyncio.subprocess.Process) -> int:
        """The exit code of the process, which is killed if it only closed its connection."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_TIMEOUT):
                return await process.wait()
        self._kill()
        return await process.wait()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            # Not Process.kill(): it polls, which can take the exit code from asyncio, which then reports 255.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
