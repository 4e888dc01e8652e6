"""The engine process: loads one model, then generates in as many threads as it has slots.

Started by `host` with a socket's file descriptor as its only argument. It ends when the worker does:
the socket closes and nothing else holds it.
"""

import importlib
import logging
import os
import socket
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from shared.errors import ModelUnavailableError
from worker.engine.interface import CancelledGenerationError, Engine, EngineFactory, EngineSettings
from worker.engine.protocol import (
    Cancel,
    Failed,
    FromEngine,
    Generate,
    Generated,
    LoadFailed,
    Loading,
    Ready,
    Start,
    Step,
    pack,
    read_to_engine,
)

BUILT_IN = {"audiocraft": "worker.engine.audiocraft_engine:load"}

# Seconds between two words about progress: the worker passes on fewer than that.
STEP_INTERVAL = 0.05

# After an error of the accelerator its context is unusable: only a new process helps.
ACCELERATOR_BROKEN = 70


class EngineProcess:
    """Serves one worker over one socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._cancelled: set[str] = set()

    def run(self) -> None:
        """Load, then serve until the worker hangs up."""
        first = read_to_engine(self._connection)
        if not isinstance(first, Start):
            return
        # From here on commands are read beside loading, so that the worker's death ends even that.
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
        self._send(Ready(engine.info, engine.slots))
        threading.Event().wait()

    def _read(self, ready: threading.Event, pool: list[tuple[Engine, ThreadPoolExecutor]]) -> None:
        while (message := read_to_engine(self._connection)) is not None:
            match message:
                case Generate():
                    ready.wait()
                    engine, threads = pool[0]
                    threads.submit(self._generate, engine, message)
                case Cancel(job_id):
                    self._cancelled.add(job_id)
        os._exit(0)  # the worker is gone; threads in C code would keep an ordinary exit waiting

    def _generate(self, engine: Engine, command: Generate) -> None:
        job_id = command.job_id

        started = told = time.perf_counter()

        def on_step(done: int, total: int) -> None:
            nonlocal told
            if job_id in self._cancelled:
                raise CancelledGenerationError
            if time.perf_counter() - told >= STEP_INTERVAL:
                told = time.perf_counter()
                self._send(Step(job_id, done, total))

        try:
            samples = engine.generate(command.recipe, on_step)
            audio = np.ascontiguousarray(samples, dtype="<f4")
            self._send(Generated(job_id, audio.tobytes(), audio.shape[1], time.perf_counter() - started))
        except CancelledGenerationError:
            self._send(Failed(job_id, "cancelled"))
        except MemoryError as error:
            self._send(Failed(job_id, "out_of_memory", str(error) or "Not enough memory for this request."))
        except Exception as error:
            self._report(job_id, error)
        finally:
            self._cancelled.discard(job_id)

    def _report(self, job_id: str, error: Exception) -> None:
        sys.excepthook(type(error), error, error.__traceback__)
        if type(error).__name__ == "AcceleratorError":
            os._exit(ACCELERATOR_BROKEN)
        self._send(Failed(job_id, "error", f"{type(error).__name__}: {error}"))

    def _send(self, message: FromEngine) -> None:
        with self._sending:
            self._connection.sendall(pack(message))


def _factory(settings: EngineSettings) -> EngineFactory:
    module, _, name = BUILT_IN.get(settings.engine, settings.engine).partition(":")
    try:
        factory: EngineFactory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ModelUnavailableError(
            f"The engine {settings.engine} cannot be loaded: {error}.",
            "Set MUSICGEN_ENGINE to audiocraft, or to module:factory of an installed engine.",
        ) from error
    return factory


if __name__ == "__main__":
    # Libraries talk a lot while they load; what matters comes as a message.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.simplefilter("ignore")
    logging.getLogger("xformers").setLevel(logging.ERROR)
    EngineProcess(socket.socket(fileno=int(sys.argv[1]))).run()
