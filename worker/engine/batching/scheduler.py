"""Iteration-level scheduling: which requests run in the next step, and in which slots. Pure bookkeeping."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Generic, TypeVar

from worker.engine.batching.layout import DelayPattern, Window

# Chunked prefill: positions of one request per step of the batch, so that the others keep going.
PREFILL_CHUNK = 64

T = TypeVar("T")


class Phase(StrEnum):
    """The state of a request."""

    WAITING = "waiting"
    PREFILL = "prefill"
    DECODE = "decode"
    DONE = "done"


@dataclass(eq=False)
class ScheduledRequest(Generic[T]):
    """A request and its progress.

    Attributes:
        request: the request itself; the scheduler does not read it.
        windows: the windows to generate, in order.
        guided: whether it uses guidance, and so needs an unconditional row.
        prefix: positions of conditions before the codes.
        slot: its slot, or -1.
        window: index of the current window.
        position: the step to predict next; during prefill, the next position to fill.
        steps: steps done so far, in all windows.
    """

    request: T
    windows: list[Window]
    guided: bool
    prefix: int = 0
    phase: Phase = Phase.WAITING
    slot: int = -1
    window: int = 0
    position: int = 0
    steps: int = 0

    @property
    def current_window(self) -> Window:
        return self.windows[self.window]

    @property
    def prefill_length(self) -> int:
        """Positions to prefill before the first step of the current window."""
        return self.prefix + self.current_window.prompt

    @property
    def is_last_window(self) -> bool:
        return self.window == len(self.windows) - 1


@dataclass
class StepPlan(Generic[T]):
    """The work of one iteration: some positions of one prefill, and one step of all decoding requests."""

    prefill: ScheduledRequest[T] | None = None
    positions: range = range(0)
    decode: list[ScheduledRequest[T]] = field(default_factory=list)


class Scheduler(Generic[T]):
    """First come, first served. A freed slot is reused in the next iteration."""

    def __init__(self, slots: int, pattern: DelayPattern) -> None:
        self._pattern = pattern
        self._free = list(range(slots))
        self._waiting: deque[ScheduledRequest[T]] = deque()
        self._prefilling: deque[ScheduledRequest[T]] = deque()
        self._decoding: list[ScheduledRequest[T]] = []

    @property
    def is_idle(self) -> bool:
        return not (self._waiting or self._prefilling or self._decoding)

    @property
    def running(self) -> list[ScheduledRequest[T]]:
        """All requests that have a slot."""
        return [*self._prefilling, *self._decoding]

    @property
    def can_admit(self) -> bool:
        return bool(self._waiting and self._free)

    def total_steps(self, entry: ScheduledRequest[T]) -> int:
        """Steps that the whole request takes."""
        return sum(
            ceil((entry.prefix + window.prompt) / PREFILL_CHUNK) + window.new + self._pattern.longest
            for window in entry.windows
        )

    def add(self, entry: ScheduledRequest[T]) -> None:
        """Queue a request."""
        self._waiting.append(entry)

    def admit(self) -> ScheduledRequest[T]:
        """Give the next request the lowest free slot."""
        entry = self._waiting.popleft()
        entry.slot = min(self._free)
        self._free.remove(entry.slot)
        self._begin(entry)
        return entry

    def put_back(self, entry: ScheduledRequest[T]) -> None:
        """Return a request that found no memory to the head of the queue."""
        self._leave(entry)
        entry.phase = Phase.WAITING
        self._waiting.appendleft(entry)

    def remove(self, entry: ScheduledRequest[T]) -> None:
        """Remove a finished or cancelled request in any state. Idempotent."""
        if entry.phase is Phase.WAITING:
            self._waiting.remove(entry)
        elif entry.phase is not Phase.DONE:
            self._leave(entry)
        entry.phase = Phase.DONE

    def schedule(self) -> StepPlan[T]:
        """Plan the next iteration. Concurrent prefills alternate, one chunk per iteration."""
        plan = StepPlan[T](decode=sorted(self._decoding, key=lambda entry: entry.slot))
        if self._prefilling:
            plan.prefill = entry = self._prefilling[0]
            plan.positions = range(entry.position, min(entry.position + PREFILL_CHUNK, entry.prefill_length))
            self._prefilling.rotate(-1)
        return plan

    def advance(self, plan: StepPlan[T]) -> list[ScheduledRequest[T]]:
        """Record that the plan was executed. Returns the requests whose window is complete."""
        for entry in plan.decode:
            entry.position += 1
            entry.steps += 1
        if plan.prefill is not None and plan.prefill.phase is Phase.PREFILL:
            self._advance_prefill(plan.prefill, plan.positions)
        return [entry for entry in plan.decode if entry.position == self._pattern.steps(entry.current_window.frames)]

    def next_window(self, entry: ScheduledRequest[T]) -> None:
        """Continue with the next window, in the same slot."""
        self._decoding.remove(entry)
        entry.window += 1
        self._begin(entry)

    def _begin(self, entry: ScheduledRequest[T]) -> None:
        if entry.prefill_length:
            entry.phase, entry.position = Phase.PREFILL, 0
            self._prefilling.append(entry)
        else:
            self._start_decoding(entry)

    def _advance_prefill(self, entry: ScheduledRequest[T], positions: range) -> None:
        entry.position = positions.stop
        entry.steps += 1
        if entry.position == entry.prefill_length:
            self._prefilling.remove(entry)
            self._start_decoding(entry)

    def _start_decoding(self, entry: ScheduledRequest[T]) -> None:
        # Prefill cached the inputs before step `prompt`; that step is the input that predicts the next one.
        entry.phase, entry.position = Phase.DECODE, entry.current_window.prompt + 1
        self._decoding.append(entry)

    def _leave(self, entry: ScheduledRequest[T]) -> None:
        (self._prefilling if entry.phase is Phase.PREFILL else self._decoding).remove(entry)
        self._free.append(entry.slot)
        entry.slot = -1
