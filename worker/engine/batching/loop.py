"""The running batch: one thread that admits, runs a step of everybody, and hands out what is finished."""

import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from worker.engine.batching.decoder import Decoder
from worker.engine.batching.outlet import Outcome, Outlet, make_outlet
from worker.engine.batching.request import Request
from worker.engine.batching.scheduler import Plan, Run, Scheduler
from worker.engine.batching.steps import Steps
from worker.engine.batching.threads import compute_on
from worker.engine.batching.windows import plan_windows
from worker.engine.codec_interface import Codec, CodecStream
from worker.engine.interface import EngineBrokenError

# The first chunk comes as soon as it is worth hearing, the others once a second: each costs some context twice.
FIRST_CHUNK = 0.25
CHUNK = 1.0

OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)


@dataclass(eq=False)
class Ticket:
    """A request in the loop, as its caller sees it.

    Attributes:
        run: as the scheduler sees it.
        stream: decodes its codes.
        total: turns until it is complete.
        decoded: frames of the present window that went to the codec, or were decoded in the one before.
        steps_before: in earlier windows.
        samples: that went out.
        outcome: chunks of audio, float32 of shape [channels, samples]; then None, or what went wrong.
    """

    run: Run[Request]
    stream: CodecStream
    total: int
    decoded: int = 0
    steps_before: int = 0
    samples: int = 0
    outcome: Outcome = field(default_factory=queue.SimpleQueue)

    @property
    def done(self) -> int:
        """How many of `total` turns were made, or as many as the audio that is there would take."""
        wanted = self.run.request.samples
        return max(self.run.steps, self.total * self.samples // wanted if wanted else 0)

    @property
    def has_all(self) -> bool:
        """Whether all the audio that is wanted went out."""
        wanted = self.run.request.samples
        return wanted is not None and self.samples >= wanted


class Loop:
    """Runs requests until closed. `submit`, `cancel` and `close` may be called from any thread."""

    def __init__(
        self, decoder: Decoder, steps: Steps, codec: Codec, slots: int, longest: int, threads: int = 1
    ) -> None:
        """Start it.

        Args:
            decoder: holds the batch.
            steps: runs a step of it.
            codec: makes audio of its codes.
            slots: of the decoder.
            longest: frames of a window.
            threads: that each operation is spread over.
        """
        self._decoder = decoder
        self._steps = steps
        self._codec = codec
        self._longest = longest
        self._threads = threads
        self._scheduler = Scheduler[Request](slots, decoder.pattern)
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._tickets: dict[Run[Request], Ticket] = {}
        self._outlet: Outlet = make_outlet(decoder.model.device)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="decode-loop", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Ticket:
        """Queue a request.

        Raises:
            EngineBrokenError: if the loop broke earlier.
        """
        if self._error is not None:
            raise EngineBrokenError(str(self._error)) from self._error
        given = 0 if request.given is None else request.given.shape[1]
        windows = plan_windows(request.frames, self._longest, given)
        run = Run(request, windows, request.is_guided, request.prefix_length)
        ticket = Ticket(run, self._codec.stream(request.samples), total=self._scheduler.turns(run))
        self._commands.put(lambda: self._add(ticket))
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Take a request out of the batch at the next step; if it is finished nothing happens."""
        self._commands.put(lambda: self._remove(ticket))

    def close(self) -> None:
        """End the thread."""
        self._commands.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            compute_on(self._threads)
            with torch.inference_mode():
                while self._take_commands():
                    self._turn()
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            self._error = error
            for ticket in self._tickets.values():
                ticket.outcome.put(EngineBrokenError(f"{type(error).__name__}: {error}"))

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
        for run in plan.decode:
            self._deliver(self._tickets[run], window_ended=run in finished)
        self._outlet.poll()

    def _run(self, plan: Plan[Request]) -> None:
        if plan.prefill is not None:
            self._decoder.prefill(plan.prefill.slot, plan.prefill.request, plan.stretch)
        for guided in (True, False):
            runs = [run for run in plan.decode if run.guided is guided]
            if runs:
                self._steps(runs)
        self._outlet.pace()

    def _take_commands(self) -> bool:
        """Carry out what callers want; waits while there is nothing else to do. False at the end."""
        with contextlib.suppress(queue.Empty):
            while True:
                idle = self._scheduler.is_idle
                if idle:
                    self._outlet.flush()
                command = self._commands.get(block=idle)
                if command is None:
                    return False
                command()
        return True

    def _add(self, ticket: Ticket) -> None:
        self._tickets[ticket.run] = ticket
        self._scheduler.add(ticket.run)

    def _remove(self, ticket: Ticket) -> None:
        self._scheduler.remove(ticket.run)
        self._tickets.pop(ticket.run, None)

    def _admit(self) -> None:
        while self._scheduler.can_admit:
            run = self._scheduler.admit()
            try:
                self._decoder.begin(run.slot, run.request)
                self._decoder.open_window(run.slot, run.present, run.request.given, steps_before=0)
            except OUT_OF_MEMORY as error:
                release_memory()
                if len(self._scheduler.running) > 1:
                    self._scheduler.put_back(run)  # another one's end makes room
                else:
                    self._fail(self._tickets[run], error)
                return

    def _deliver(self, ticket: Ticket, window_ended: bool) -> None:
        """Decode what became complete, if it is enough for a chunk; then go on to the next window, or leave."""
        ended = window_ended and ticket.run.is_last_window
        try:
            self._decode(ticket, window_ended, ended)
            ended = ended or ticket.has_all
            if window_ended and not ended:
                self._next_window(ticket)
        except OUT_OF_MEMORY as error:
            self._fail(ticket, error)
            return
        if ended:
            self._outlet.put(None, ticket.outcome)
            self._remove(ticket)

    def _decode(self, ticket: Ticket, window_ended: bool, ended: bool) -> None:
        run = ticket.run
        known = self._decoder.pattern.complete_frames(run.position, run.present.frames)
        if known - ticket.decoded < self._wanted(ticket) and not window_ended:
            return
        codes = self._decoder.codes(run.slot, range(ticket.decoded, known))
        ticket.decoded = known
        chunk = ticket.stream.push(codes, last=ended)
        if chunk.shape[1]:
            ticket.samples += chunk.shape[1]
            self._outlet.put(chunk, ticket.outcome)

    def _wanted(self, ticket: Ticket) -> int:
        if ticket.samples:
            return int(CHUNK * self._codec.frame_rate)
        return self._codec.lead_in + int(FIRST_CHUNK * self._codec.frame_rate) + self._codec.lookahead

    def _next_window(self, ticket: Ticket) -> None:
        run, ended = ticket.run, ticket.run.present
        ticket.steps_before += self._decoder.pattern.steps(ended.frames)
        prompt = ticket.decoded = run.windows[run.window + 1].prompt
        given = self._decoder.codes(run.slot, range(ended.frames - prompt, ended.frames))
        self._scheduler.next_window(run)
        self._decoder.open_window(run.slot, run.present, given, ticket.steps_before)

    def _sacrifice(self, plan: Plan[Request], error: Exception) -> None:
        """Memory ran out in a step: the one that came last goes, the others repeat the step."""
        release_memory()
        runs = {*plan.decode, plan.prefill}
        self._fail(next(ticket for ticket in reversed(self._tickets.values()) if ticket.run in runs), error)

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        self._outlet.put(MemoryError(f"Not enough memory for this request: {error}"), ticket.outcome)
        self._remove(ticket)


def release_memory() -> None:
    """Give what PyTorch keeps for later back to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
