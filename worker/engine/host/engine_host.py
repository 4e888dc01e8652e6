"""The worker's side of the engine: starts its process, restarts it when it dies, and passes jobs to it."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress

from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import Recipe, WorkerState
from worker import metrics
from worker.engine.host.exclusive_lock import Gate
from worker.engine.host.generation import EngineDiedError, Generation, GenerationFailedError
from worker.engine.host.launch import start_process
from worker.engine.host.watchdog import until_hung
from worker.engine.interface import EngineSettings, ModelInfo
from worker.engine.protocol import (
    Cancel,
    Chunk,
    Failed,
    FromEngine,
    Generate,
    Generated,
    LoadFailed,
    Loading,
    MidiFile,
    Progress,
    Ready,
    Start,
    StemChunk,
    ToEngine,
    Warned,
    pack,
    read_from_engine,
)

log = get_logger(__name__)

# Seconds before the next start after a crash; the last one repeats.
BACKOFF = (1.0, 2.0, 5.0, 15.0, 30.0)
RETRY_LOADING = 60.0
# An engine that ignores a cancel for so long is stuck: only a new process frees its slot.
CANCEL_PATIENCE = 10.0
# The same where a person keeps what was made, and a second more for each of the piece: stems take a while.
KEEP_PATIENCE = 60.0
# Seconds between the end of the connection and that of the process.
EXIT_PATIENCE = 2.0


class EngineHost:
    """Keeps one engine process running.

    Args:
        settings: of the engine.
        on_change: called whenever `state` or `message` changed.
        patience: seconds in which something must come of every running job; otherwise the process hangs and is ended.
    """

    def __init__(self, settings: EngineSettings, on_change: Callable[[], None], patience: float = 300.0) -> None:
        self._settings = settings
        self._on_change = on_change
        self._patience = patience
        self._generations: dict[str, Generation] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._crashes = 0
        self._gate = Gate()
        # Whether the process was ended from here: then the jobs in it have been told.
        self._killed = False
        self.ready = asyncio.Event()
        self.state = WorkerState.LOADING
        self.message = "Starting the engine"
        self.remedy: str | None = None
        self.info: ModelInfo | None = None
        self.slots = 0

    async def run(self) -> None:
        """Start the engine, and again whenever it ends, until cancelled."""
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
            self._kill()

    async def generate(
        self,
        job_id: str,
        recipe: Recipe,
        generation: Generation,
        enter_alone: Callable[[AbstractAsyncContextManager[None]], Awaitable[None]] | None = None,
    ) -> None:
        """Have the audio made and put into `generation`. Cancelling the call frees the slot; what came before stays.

        Args:
            job_id: whose it is.
            recipe: what to make.
            generation: gets the audio, then the outputs; of a cancelled call's audio only if its `keep` is set.
            enter_alone: enters what it is given, which waits until no other job is in the engine, and keeps all others
                out until whoever entered leaves it.

        Raises:
            EngineDiedError: if the process ended meanwhile.
            GenerationFailedError: if it cannot make this one.
        """
        async with AsyncExitStack() as stack:
            gate = self._gate.enter(alone=enter_alone is not None)
            await (enter_alone(gate) if enter_alone else stack.enter_async_context(gate))
            generation.began = time.perf_counter()
            self._generations[job_id] = generation
            try:
                await self._send(Generate(job_id, recipe))
                result = await asyncio.shield(generation.result)
            except asyncio.CancelledError:
                keeps = generation.keep and bool(recipe.outputs)
                await self._cancel(
                    job_id, generation, keeps, KEEP_PATIENCE + recipe.duration if keeps else CANCEL_PATIENCE
                )
                raise
            finally:
                self._generations.pop(job_id, None)
        if isinstance(result, Failed):
            raise GenerationFailedError(result.kind, result.reason)
        self._crashes = 0

    async def _cancel(self, job_id: str, generation: Generation, keep: bool, patience: float) -> None:
        try:
            await self._send(Cancel(job_id, keep))
            async with asyncio.timeout(patience):
                await asyncio.shield(generation.result)
        except EngineDiedError:
            pass  # then the slot is free as well
        except TimeoutError:
            log.error("engine stuck, restarting it", job_id=job_id)
            self._abandon("The engine was stuck and starts again.", ())

    async def _watch(self) -> None:
        """End a process that hangs: for its jobs that is as if it had died of those on which it may hang."""
        culprits = await until_hung(self._unfinished, self._patience)
        log.error("engine hangs, restarting it", patience=self._patience, jobs=len(culprits))
        metrics.ENGINE_HANGS.inc()
        self._abandon(f"The engine hung: it made nothing for {self._patience:g} s and starts again.", culprits)

    def _abandon(self, reason: str, culprits: Collection[Generation]) -> None:
        """End the process. Its jobs do not wait for that: what hangs in a driver may take long to die."""
        self._killed = True
        self.ready.clear()
        self._set(WorkerState.LOADING, reason)
        self._bury(reason, culprits)
        self._kill()

    async def _run_once(self) -> None:
        self._set(WorkerState.LOADING, "Starting the engine")
        self._killed = False
        reader, self._writer, self._process = await start_process()
        watch = asyncio.create_task(self._watch())
        try:
            await self._send(Start(self._settings))
            while True:
                self._receive(await read_from_engine(reader))
        except (asyncio.IncompleteReadError, ConnectionError, EngineDiedError):
            pass
        finally:
            self.ready.clear()
            self._writer.close()
            await end((watch,))
            culprits = [] if self._killed else self._unfinished()
            code = await self._exit_code(self._process)
            log.warning("engine ended", exit_code=code, state=self.state.value, jobs=len(culprits))
            self._bury(f"The engine died (exit code {code}).", culprits)

    def _unfinished(self) -> list[Generation]:
        return [each for each in self._generations.values() if not each.result.done()]

    def _bury(self, reason: str, culprits: Collection[Generation]) -> None:
        """Tell the jobs that were in the engine how it ended, and how many of them may have caused it."""
        for generation in self._unfinished():
            jobs = len(culprits) if generation in culprits else 0
            generation.result.set_exception(EngineDiedError(reason, jobs))
            generation.result.exception()  # who was cancelled meanwhile does not ask any more, which asyncio would log

    def _receive(self, message: FromEngine) -> None:
        match message:
            case Loading(text):
                self._set(WorkerState.LOADING, text)
            case Ready(info, slots):
                self.info, self.slots = info, slots
                self._set(WorkerState.READY, f"Ready on {info.device}")
                self.ready.set()
            case LoadFailed(reason, remedy, retryable):
                again = f" It is tried again every {RETRY_LOADING:g} seconds." if retryable else ""
                self._set(WorkerState.FAILED, reason, remedy + again)
            case Progress(job_id, done, total):
                generation = self._generations.get(job_id)
                if generation:
                    generation.done, generation.total = done, max(total, 1)
            case Chunk(job_id):
                generation = self._generations.get(job_id)
                if generation:
                    generation.add(message)
            case MidiFile(job_id, file):
                generation = self._generations.get(job_id)
                if generation:
                    generation.midi = file
            case StemChunk(job_id):
                generation = self._generations.get(job_id)
                if generation:
                    generation.add_to_stem(message)
            case Warned(job_id, text):
                generation = self._generations.get(job_id)
                if generation:
                    generation.warnings.append(text)
            case Generated(job_id) | Failed(job_id):
                generation = self._generations.get(job_id)
                if generation and not generation.result.done():
                    generation.result.set_result(message)

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
        """How the process ended; one that only closed its connection is killed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_PATIENCE):
                return await process.wait()
        self._kill()
        return await process.wait()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            # Not kill(): it polls, and may so take the exit code from asyncio, which then reports 255.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
