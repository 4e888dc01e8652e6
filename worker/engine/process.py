"""The engine process: loads one model, then generates in one thread per slot.

`host` starts it with a socket's file descriptor as the only argument. It exits when the worker does, because the
socket closes.
"""

import importlib
import logging
import math
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
from msgspec.structs import replace

from shared.audio_conditions import decode_excerpt
from shared.errors import ModelUnavailableError
from shared.music import Music
from shared.note_score import decode_score
from worker.engine.interface import (
    CancelledGenerationError,
    ConditionedEngine,
    Engine,
    EngineBrokenError,
    EngineFactory,
    EngineOutput,
    EngineSettings,
    HasRows,
    KeptGenerationError,
    Midi,
    ModelInfo,
    NonFiniteError,
    OnStep,
    Samples,
    ScoreEngine,
    Stage,
    Stem,
    Warn,
)
from worker.engine.protocol import (
    Cancel,
    Chunk,
    Described,
    Failed,
    FromEngine,
    Generate,
    Generated,
    LoadFailed,
    Loading,
    MidiFile,
    Progress,
    Ready,
    RowsInUse,
    Staged,
    Start,
    StemFile,
    Warned,
    pack,
    read_to_engine,
)

BUILT_IN = {"batching": "worker.engine.default_engine:load", "audiocraft": "worker.engine.audiocraft_engine:load"}

# Seconds between progress messages.
STEP_INTERVAL = 0.2

# Seconds between two looks at the rows of the batch.
ROWS_INTERVAL = 0.5

EXIT_BROKEN = 70

# Bytes on a GPU that a process needs for CUDA itself: its context and libraries. PyTorch does not count them.
CUDA_CONTEXT = 600 * 2**20


class StemNotWrittenError(Exception):
    """The disk refused a stem."""


class EngineProcess:
    """Serves one worker over one socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._wanted: set[str] = set()
        self._kept: set[str] = set()

    def run(self) -> None:
        """Load the model, then serve until the worker disconnects."""
        first = read_to_engine(self._connection)
        if not isinstance(first, Start):
            return
        # Read commands while loading, so that the process exits if the worker dies meanwhile.
        ready = threading.Event()
        pool: list[tuple[Engine, ThreadPoolExecutor]] = []
        threading.Thread(target=self._read, args=(ready, pool), daemon=True).start()
        try:
            engine = _factory(first.settings)(first.settings, lambda message: self._send(Loading(message)))
        except ModelUnavailableError as error:
            self._send(LoadFailed(str(error), error.remedy, error.retryable))
            return
        pool.append((engine, ThreadPoolExecutor(engine.slots, thread_name_prefix="slot")))
        ready.set()
        self._send(Ready(_measured(engine.info), engine.slots))
        if isinstance(engine, HasRows):
            self._report_rows(engine)
        threading.Event().wait()

    def _report_rows(self, engine: HasRows) -> None:
        known = 0
        while True:
            time.sleep(ROWS_INTERVAL)
            if engine.rows != known:
                known = engine.rows
                self._send(RowsInUse(known))

    def _read(self, ready: threading.Event, pool: list[tuple[Engine, ThreadPoolExecutor]]) -> None:
        while (message := read_to_engine(self._connection)) is not None:
            match message:
                case Generate(job_id):
                    ready.wait()
                    self._kept.discard(job_id)  # left over if a cancel arrived after an earlier run had ended
                    self._wanted.add(job_id)
                    engine, threads = pool[0]
                    threads.submit(self._generate, engine, message)
                case Cancel(job_id, keep):
                    if keep:
                        self._kept.add(job_id)
                    else:
                        self._wanted.discard(job_id)
        os._exit(0)  # a normal exit would wait for threads in C code

    def _generate(self, engine: Engine, command: Generate) -> None:
        outcome = self._outcome(engine, command)
        # Before sending the outcome: the worker may then start the same job again.
        self._wanted.discard(command.job_id)
        self._kept.discard(command.job_id)
        self._send(outcome)

    def _outcome(self, engine: Engine, command: Generate) -> Generated | Failed:
        job_id = command.job_id
        try:
            self._send_chunks(engine, command)
            return Generated(job_id)
        except CancelledGenerationError:
            return Failed(job_id, "cancelled")
        except StemNotWrittenError as error:
            return Failed(job_id, "disk", str(error))
        except MemoryError as error:
            return Failed(job_id, "out_of_memory", str(error) or "Not enough memory for this request.")
        except NonFiniteError as error:
            return Failed(job_id, "not_finite", str(error))
        except Exception as error:
            return self._failure_or_exit(job_id, error)

    def _send_chunks(self, engine: Engine, command: Generate) -> None:
        job_id = command.job_id
        chunks = self._chunks(engine, command)
        try:
            for samples in chunks:
                if samples.shape[1:] != (engine.info.channels,):
                    raise ValueError(f"The engine made audio of shape {samples.shape}, not [frames, channels].")
                self._send(Chunk(job_id, _bytes(samples), engine.info.channels))
                self._check_wanted(job_id)
        finally:
            if isinstance(chunks, Generator):
                chunks.close()

    def _chunks(self, engine: Engine, command: Generate) -> Iterator[Samples]:
        on_step = self._progress_callback(command.job_id)

        def on_output(output: EngineOutput) -> None:
            self._send_output(command, output)

        if command.excerpt is not None:
            excerpt = decode_excerpt(command.excerpt)
            return cast(ConditionedEngine, engine).generate(command.recipe, on_step, on_output, excerpt=excerpt)
        if not (engine.info.outputs or engine.info.has_stages):
            return engine.generate(command.recipe, on_step)
        made = {} if command.score is None else {"score": decode_score(command.score)}
        return cast(ScoreEngine, engine).generate(command.recipe, on_step, on_output, **made)

    def _send_output(self, command: Generate, output: EngineOutput) -> None:
        job_id = command.job_id
        match output:
            case Music():
                self._send(Described(job_id, output))
            case Midi(file):
                self._send(MidiFile(job_id, file))
            case Warn(text):
                self._send(Warned(job_id, text))
            case Stage():
                self._send(Staged(job_id, output))
            case Stem():
                self._send(self._stem_file(command, output))

    def _stem_file(self, command: Generate, stem: Stem) -> StemFile:
        """Write a stem to disk: two minutes of all stems are 200 MB.

        Raises:
            StemNotWrittenError: if the disk refuses it.
        """
        if command.folder is None:
            raise ValueError("The engine made stems that the recipe does not want.")
        path = Path(command.folder, f"{stem.name}.f32")
        try:
            path.write_bytes(_bytes(stem.samples))
        except OSError as error:
            raise StemNotWrittenError(error) from error
        return StemFile(command.job_id, stem.name, str(path), stem.samples.shape[1], stem.instrument)

    def _progress_callback(self, job_id: str) -> OnStep:
        """An `on_step` that reports progress, and raises once the job was cancelled."""
        sent = -math.inf  # the first report tells the total

        def on_step(done: int, total: int) -> None:
            nonlocal sent
            self._check_wanted(job_id)
            if time.perf_counter() - sent >= STEP_INTERVAL:
                sent = time.perf_counter()
                self._send(Progress(job_id, done, total))
            if job_id in self._kept:
                raise KeptGenerationError

        return on_step

    def _check_wanted(self, job_id: str) -> None:
        if job_id not in self._wanted:
            raise CancelledGenerationError

    def _failure_or_exit(self, job_id: str, error: Exception) -> Failed:
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, EngineBrokenError) or type(error).__name__ == "AcceleratorError":
            # After an accelerator error the context is unusable: only a new process helps.
            os._exit(EXIT_BROKEN)
        return Failed(job_id, "error", f"{type(error).__name__}: {error}")

    def _send(self, message: FromEngine) -> None:
        with self._sending:
            self._connection.sendall(pack(message))


def _bytes(samples: Samples) -> bytes:
    return np.ascontiguousarray(samples, dtype="<f4").tobytes()


def _measured(info: ModelInfo) -> ModelInfo:
    """`info` with the memory of the engine on its GPU: what PyTorch has reserved, and CUDA's own."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return info
    reserved, (_, total) = torch.cuda.memory_reserved(), torch.cuda.mem_get_info()
    return replace(info, gpu_bytes=reserved + CUDA_CONTEXT, gpu_total=total)


def _factory(settings: EngineSettings) -> EngineFactory:
    module, _, name = BUILT_IN.get(settings.engine, settings.engine).partition(":")
    try:
        factory: EngineFactory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ModelUnavailableError(
            f"The engine {settings.engine} cannot be loaded: {error}.",
            "Set MUSICGEN_ENGINE to batching or audiocraft, or to module:factory of an installed engine.",
        ) from error
    return factory


if __name__ == "__main__":
    # Libraries print a lot while loading. The protocol reports what matters, so stdout goes to stderr.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.simplefilter("ignore")
    logging.getLogger("xformers").setLevel(logging.ERROR)
    EngineProcess(socket.socket(fileno=int(sys.argv[1]))).run()
