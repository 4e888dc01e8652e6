"""The decode loop: one thread that admits requests, runs steps of the batch and delivers audio."""

import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from worker.engine.batching.decoder import Decoder
from worker.engine.batching.layout import plan_windows
from worker.engine.batching.output_transfer import OutputQueue, OutputTransfer, make_transfer
from worker.engine.batching.request import Request
from worker.engine.batching.scheduler import ScheduledRequest, Scheduler, StepPlan
from worker.engine.batching.stages import StageClock
from worker.engine.batching.step_runner import StepRunner, rows_of
from worker.engine.batching.tuning import set_threads
from worker.engine.codec_interface import Codec, CodecStream
from worker.engine.interface import EngineBrokenError

# Seconds of audio per chunk. The first chunk is short for a quick start; every chunk decodes some context again.
FIRST_CHUNK = 0.25
CHUNK = 1.0

OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)


@dataclass(eq=False)
class RequestHandle:
    """The caller's handle of a request.

    Attributes:
        scheduled: the request in the scheduler.
        stream: decodes its codes to audio.
        total: steps that the whole request takes.
        decoded: frames of the current window already passed to the codec, in this window or the previous one.
        steps_before: steps in earlier windows.
        samples: samples delivered so far.
        output: chunks of audio, float32 of shape [channels, samples]; then None, or an exception.
        likelihood: see `TokenConstraint.likelihood`; set before the None.
        clock: the times of its stages.
    """

    scheduled: ScheduledRequest[Request]
    stream: CodecStream
    total: int
    decoded: int = 0
    steps_before: int = 0
    samples: int = 0
    output: OutputQueue = field(default_factory=queue.SimpleQueue)
    likelihood: Tensor | None = None
    clock: StageClock = field(default_factory=StageClock)

    @property
    def done(self) -> int:
        """Steps done out of `total`, or the share of audio already delivered if that is more."""
        wanted = self.scheduled.request.samples
        return max(self.scheduled.steps, min(self.total * self.samples // wanted, self.total) if wanted else 0)

    @property
    def has_all(self) -> bool:
        """Whether all requested audio was delivered."""
        wanted = self.scheduled.request.samples
        return wanted is not None and self.samples >= wanted


class Loop:
    """Runs requests until closed. `submit`, `cancel` and `close` are thread-safe."""

    def __init__(
        self, decoder: Decoder, runner: StepRunner, codec: Codec, slots: int, window: int, threads: int = 1
    ) -> None:
        """Start the thread.

        Args:
            decoder: the state of the batch.
            runner: runs its steps.
            codec: decodes its codes.
            slots: slots of the decoder.
            window: frames of the longest window.
            threads: threads per operation.
        """
        self._decoder = decoder
        self._runner = runner
        self._codec = codec
        self._window = window
        self._threads = threads
        self._scheduler = Scheduler[Request](slots, decoder.pattern)
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._handles: dict[ScheduledRequest[Request], RequestHandle] = {}
        self._transfer: OutputTransfer = make_transfer(decoder.model.device)
        self._error: Exception | None = None
        self.rows = 0  # of the last step
        self._thread = threading.Thread(target=self._work, name="decode-loop", daemon=True)
        self._thread.start()

    def submit(self, request: Request, stream: CodecStream | None = None) -> RequestHandle:
        """Queue a request.

        Args:
            request: the request.
            stream: decodes its codes; None is a new stream of the codec.

        Raises:
            EngineBrokenError: if the loop failed earlier.
        """
        if self._error is not None:
            raise EngineBrokenError(str(self._error)) from self._error
        given = 0 if request.given is None else request.given.shape[1]
        windows = plan_windows(request.frames, self._window, given)
        entry = ScheduledRequest(request, windows, request.is_guided, request.prefix_length)
        stream = self._codec.stream(request.samples) if stream is None else stream
        handle = RequestHandle(entry, stream, total=self._scheduler.total_steps(entry))
        self._commands.put(lambda: self._add(handle))
        return handle

    def cancel(self, handle: RequestHandle) -> None:
        """Remove a request before the next step. No effect if it is finished."""
        self._commands.put(lambda: self._remove(handle))

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._commands.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            set_threads(self._threads)
            with torch.inference_mode():
                while self._take_commands():
                    self._iterate()
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            self._error = error
            for handle in self._handles.values():
                handle.output.put(EngineBrokenError(f"{type(error).__name__}: {error}"))

    def _iterate(self) -> None:
        """Schedule, run, deliver: one iteration of the loop."""
        self._admit()
        plan = self._scheduler.schedule()
        self.rows = sum(rows_of(entry)[0] for entry in plan.decode)
        try:
            self._run(plan)
        except OUT_OF_MEMORY as error:
            self._fail_newest(plan, error)
            return
        finished = self._scheduler.advance(plan)
        for entry in plan.decode:
            self._deliver(self._handles[entry], window_ended=entry in finished)
        self._transfer.poll()

    def _run(self, plan: StepPlan[Request]) -> None:
        if plan.prefill is not None:
            self._decoder.prefill(plan.prefill.slot, plan.prefill.request, plan.positions, plan.prefill.window)
        for rows in ((2, 2), (2, 1), (1, 1)):
            batch = [entry for entry in plan.decode if rows_of(entry) == rows]
            if batch:
                self._runner(batch)
        self._transfer.pace()

    def _take_commands(self) -> bool:
        """Execute the callers' commands; wait for one while idle. Returns False once closed."""
        with contextlib.suppress(queue.Empty):
            while True:
                idle = self._scheduler.is_idle
                if idle:
                    self.rows = 0
                    self._transfer.flush()
                command = self._commands.get(block=idle)
                if command is None:
                    return False
                command()
        return True

    def _add(self, handle: RequestHandle) -> None:
        self._handles[handle.scheduled] = handle
        self._scheduler.add(handle.scheduled)

    def _remove(self, handle: RequestHandle) -> None:
        self._scheduler.remove(handle.scheduled)
        self._handles.pop(handle.scheduled, None)

    def _admit(self) -> None:
        while self._scheduler.can_admit:
            entry = self._scheduler.admit()
            try:
                self._decoder.begin(entry.slot, entry.request)
                self._decoder.open_window(entry.slot, entry.current_window, entry.request.given, steps_before=0)
            except OUT_OF_MEMORY as error:
                release_memory()
                if len(self._scheduler.running) > 1:
                    self._scheduler.put_back(entry)  # until another request frees memory
                else:
                    self._fail(self._handles[entry], error)
                return

    def _deliver(self, handle: RequestHandle, window_ended: bool) -> None:
        """Decode complete frames if they fill a chunk; then start the next window or finish the request."""
        handle.clock.stepped()
        ended = window_ended and handle.scheduled.is_last_window
        try:
            self._decode(handle, window_ended, ended)
            ended = ended or handle.has_all
            if window_ended and not ended:
                self._next_window(handle)
        except OUT_OF_MEMORY as error:
            self._fail(handle, error)
            return
        if ended:
            handle.likelihood = self._decoder.likelihood(handle.scheduled.slot)
            self._transfer.put(None, handle.output, self._decoder.overflowed(handle.scheduled.slot))
            self._remove(handle)

    def _decode(self, handle: RequestHandle, window_ended: bool, ended: bool) -> None:
        entry = handle.scheduled
        known = self._decoder.pattern.complete_frames(entry.position, entry.current_window.frames)
        if known - handle.decoded < self._wanted(handle) and not window_ended:
            return
        codes = self._decoder.codes(entry.slot, range(handle.decoded, known))
        handle.decoded = known
        with handle.clock.in_codec():
            chunk = handle.stream.push(codes, last=ended)
        if chunk.shape[1]:
            handle.samples += chunk.shape[1]
            self._transfer.put(chunk, handle.output, self._decoder.overflowed(entry.slot))

    def _wanted(self, handle: RequestHandle) -> int:
        if handle.samples:
            return int(CHUNK * self._codec.frame_rate)
        return self._codec.lead_in + int(FIRST_CHUNK * self._codec.frame_rate) + self._codec.lookahead

    def _next_window(self, handle: RequestHandle) -> None:
        entry, ended = handle.scheduled, handle.scheduled.current_window
        handle.steps_before += self._decoder.pattern.steps(ended.frames)
        prompt = handle.decoded = entry.windows[entry.window + 1].prompt
        given = self._decoder.codes(entry.slot, range(ended.frames - prompt, ended.frames))
        self._scheduler.next_window(entry)
        self._decoder.open_window(entry.slot, entry.current_window, given, handle.steps_before)

    def _fail_newest(self, plan: StepPlan[Request], error: Exception) -> None:
        """After running out of memory in a step: fail the newest request; the others repeat the step."""
        release_memory()
        batch = {*plan.decode, plan.prefill}
        self._fail(next(handle for handle in reversed(self._handles.values()) if handle.scheduled in batch), error)

    def _fail(self, handle: RequestHandle, error: Exception) -> None:
        self._transfer.put(MemoryError(f"Not enough memory for this request: {error}"), handle.output)
        self._remove(handle)


def release_memory() -> None:
    """Return PyTorch's cached memory to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
