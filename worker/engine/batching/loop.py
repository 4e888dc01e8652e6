"""The running batch: one thread that admits, runs a step of all slots, and hands out what is finished."""

import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from worker.engine.batching.decoder import Decoder
from worker.engine.batching.layout import plan_windows
from worker.engine.batching.output_transfer import OutputQueue, OutputTransfer, make_transfer
from worker.engine.batching.request import Request
from worker.engine.batching.scheduler import ScheduledRequest, Scheduler, StepPlan
from worker.engine.batching.step_runner import StepRunner
from worker.engine.batching.tuning import set_threads
from worker.engine.codec_interface import Codec, CodecStream
from worker.engine.interface import EngineBrokenError

# The first chunk comes as soon as it is worth hearing, the others once a second: each costs some context twice.
FIRST_CHUNK = 0.25
CHUNK = 1.0

OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)


@dataclass(eq=False)
class RequestHandle:
    """A request in the loop, as its caller sees it.

    Attributes:
        entry: as the scheduler sees it.
        stream: decodes its codes.
        total: turns until it is complete.
        decoded: frames of the present window that went to the codec, or were decoded in the one before.
        steps_before: in earlier windows.
        samples: that went out.
        output: chunks of audio, float32 of shape [channels, samples]; then None, or what went wrong.
    """

    entry: ScheduledRequest[Request]
    stream: CodecStream
    total: int
    decoded: int = 0
    steps_before: int = 0
    samples: int = 0
    output: OutputQueue = field(default_factory=queue.SimpleQueue)

    @property
    def done(self) -> int:
        """How many of `total` turns were made, or as many as the audio that is there would take."""
        wanted = self.entry.request.samples
        return max(self.entry.steps, self.total * self.samples // wanted if wanted else 0)

    @property
    def has_all(self) -> bool:
        """Whether all the audio that is wanted went out."""
        wanted = self.entry.request.samples
        return wanted is not None and self.samples >= wanted


class Loop:
    """Runs requests until closed. `submit`, `cancel` and `close` may be called from any thread."""

    def __init__(
        self, decoder: Decoder, runner: StepRunner, codec: Codec, slots: int, longest: int, threads: int = 1
    ) -> None:
        """Start it.

        Args:
            decoder: holds the batch.
            runner: runs a step of it.
            codec: makes audio of its codes.
            slots: of the decoder.
            longest: frames of a window.
            threads: that each operation is spread over.
        """
        self._decoder = decoder
        self._runner = runner
        self._codec = codec
        self._longest = longest
        self._threads = threads
        self._scheduler = Scheduler[Request](slots, decoder.pattern)
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._handles: dict[ScheduledRequest[Request], RequestHandle] = {}
        self._transfer: OutputTransfer = make_transfer(decoder.model.device)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="decode-loop", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> RequestHandle:
        """Queue a request.

        Raises:
            EngineBrokenError: if the loop broke earlier.
        """
        if self._error is not None:
            raise EngineBrokenError(str(self._error)) from self._error
        given = 0 if request.given is None else request.given.shape[1]
        windows = plan_windows(request.frames, self._longest, given)
        entry = ScheduledRequest(request, windows, request.is_guided, request.prefix_length)
        handle = RequestHandle(entry, self._codec.stream(request.samples), total=self._scheduler.turns(entry))
        self._commands.put(lambda: self._add(handle))
        return handle

    def cancel(self, handle: RequestHandle) -> None:
        """Take a request out of the batch at the next step; if it is finished nothing happens."""
        self._commands.put(lambda: self._remove(handle))

    def close(self) -> None:
        """End the thread."""
        self._commands.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            set_threads(self._threads)
            with torch.inference_mode():
                while self._take_commands():
                    self._turn()
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            self._error = error
            for handle in self._handles.values():
                handle.output.put(EngineBrokenError(f"{type(error).__name__}: {error}"))

    def _turn(self) -> None:
        """Schedule, run, deliver."""
        self._admit()
        plan = self._scheduler.schedule()
        try:
            self._run(plan)
        except OUT_OF_MEMORY as error:
            self._sacrifice(plan, error)
            return
        finished = self._scheduler.advance(plan)
        for entry in plan.decode:
            self._deliver(self._handles[entry], window_ended=entry in finished)
        self._transfer.poll()

    def _run(self, plan: StepPlan[Request]) -> None:
        if plan.prefill is not None:
            self._decoder.prefill(plan.prefill.slot, plan.prefill.request, plan.stretch)
        for guided in (True, False):
            batch = [entry for entry in plan.decode if entry.guided is guided]
            if batch:
                self._runner(batch)
        self._transfer.pace()

    def _take_commands(self) -> bool:
        """Carry out what callers want; waits while there is nothing else to do. False at the end."""
        with contextlib.suppress(queue.Empty):
            while True:
                idle = self._scheduler.is_idle
                if idle:
                    self._transfer.flush()
                command = self._commands.get(block=idle)
                if command is None:
                    return False
                command()
        return True

    def _add(self, handle: RequestHandle) -> None:
        self._handles[handle.entry] = handle
        self._scheduler.add(handle.entry)

    def _remove(self, handle: RequestHandle) -> None:
        self._scheduler.remove(handle.entry)
        self._handles.pop(handle.entry, None)

    def _admit(self) -> None:
        while self._scheduler.can_admit:
            entry = self._scheduler.admit()
            try:
                self._decoder.begin(entry.slot, entry.request)
                self._decoder.open_window(entry.slot, entry.present, entry.request.given, steps_before=0)
            except OUT_OF_MEMORY as error:
                release_memory()
                if len(self._scheduler.running) > 1:
                    self._scheduler.put_back(entry)  # another one's end makes room
                else:
                    self._fail(self._handles[entry], error)
                return

    def _deliver(self, handle: RequestHandle, window_ended: bool) -> None:
        """Decode what became complete, if it is enough for a chunk; then go on to the next window, or leave."""
        ended = window_ended and handle.entry.is_last_window
        try:
            self._decode(handle, window_ended, ended)
            ended = ended or handle.has_all
            if window_ended and not ended:
                self._next_window(handle)
        except OUT_OF_MEMORY as error:
            self._fail(handle, error)
            return
        if ended:
            self._transfer.put(None, handle.output)
            self._remove(handle)

    def _decode(self, handle: RequestHandle, window_ended: bool, ended: bool) -> None:
        entry = handle.entry
        known = self._decoder.pattern.complete_frames(entry.position, entry.present.frames)
        if known - handle.decoded < self._wanted(handle) and not window_ended:
            return
        codes = self._decoder.codes(entry.slot, range(handle.decoded, known))
        handle.decoded = known
        chunk = handle.stream.push(codes, last=ended)
        if chunk.shape[1]:
            handle.samples += chunk.shape[1]
            self._transfer.put(chunk, handle.output)

    def _wanted(self, handle: RequestHandle) -> int:
        if handle.samples:
            return int(CHUNK * self._codec.frame_rate)
        return self._codec.lead_in + int(FIRST_CHUNK * self._codec.frame_rate) + self._codec.lookahead

    def _next_window(self, handle: RequestHandle) -> None:
        entry, ended = handle.entry, handle.entry.present
        handle.steps_before += self._decoder.pattern.steps(ended.frames)
        prompt = handle.decoded = entry.windows[entry.window + 1].prompt
        given = self._decoder.codes(entry.slot, range(ended.frames - prompt, ended.frames))
        self._scheduler.next_window(entry)
        self._decoder.open_window(entry.slot, entry.present, given, handle.steps_before)

    def _sacrifice(self, plan: StepPlan[Request], error: Exception) -> None:
        """Memory ran out in a step: the one that came last goes, the others repeat the step."""
        release_memory()
        batch = {*plan.decode, plan.prefill}
        self._fail(next(handle for handle in reversed(self._handles.values()) if handle.entry in batch), error)

    def _fail(self, handle: RequestHandle, error: Exception) -> None:
        self._transfer.put(MemoryError(f"Not enough memory for this request: {error}"), handle.output)
        self._remove(handle)


def release_memory() -> None:
    """Give what PyTorch keeps for later back to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
