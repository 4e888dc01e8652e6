"""Which requests run next. Knows no torch and does no I/O: it counts steps and hands out slots."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Generic, TypeVar

from worker.engine.batching.layout import DelayPattern, Window

# Positions of one request that are prefilled between two steps of the others.
PREFILL_CHUNK = 64

T = TypeVar("T")


class Phase(StrEnum):
    """Where a request is."""

    WAITING = "waiting"
    PREFILL = "prefill"
    DECODE = "decode"
    DONE = "done"


@dataclass(eq=False)
class ScheduledRequest(Generic[T]):
    """A request on its way through the batch.

    Attributes:
        request: what the caller knows it by.
        windows: what is to be made, in order.
        guided: whether it takes a second row, without the text, for guidance.
        prefix: positions before the sequence's, for conditions that stand there.
        slot: while it has one.
        window: index of the present one.
        position: the step of the sequence that is predicted next; in a prefill, the next position to fill.
        steps: turns in which it took part.
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
    def present(self) -> Window:
        return self.windows[self.window]

    @property
    def known(self) -> int:
        """Positions that are prefilled before the present window's first step."""
        return self.prefix + self.present.prompt

    @property
    def is_last_window(self) -> bool:
        return self.window == len(self.windows) - 1


@dataclass
class StepPlan(Generic[T]):
    """The work of one turn: a stretch of one prefill, and one step of everybody else."""

    prefill: ScheduledRequest[T] | None = None
    stretch: range = range(0)
    decode: list[ScheduledRequest[T]] = field(default_factory=list)


class Scheduler(Generic[T]):
    """First come, first served; a freed slot is taken at the next turn."""

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
        """Everybody who has a slot."""
        return [*self._prefilling, *self._decoding]

    @property
    def can_admit(self) -> bool:
        return bool(self._waiting and self._free)

    def turns(self, entry: ScheduledRequest[T]) -> int:
        """How often a request takes part before it is complete."""
        return sum(
            ceil((entry.prefix + window.prompt) / PREFILL_CHUNK) + window.new + self._pattern.longest
            for window in entry.windows
        )

    def add(self, entry: ScheduledRequest[T]) -> None:
        """Queue a request."""
        self._waiting.append(entry)

    def admit(self) -> ScheduledRequest[T]:
        """Give the next one the lowest free slot."""
        entry = self._waiting.popleft()
        entry.slot = min(self._free)
        self._free.remove(entry.slot)
        self._begin(entry)
        return entry

    def put_back(self, entry: ScheduledRequest[T]) -> None:
        """There was no memory for it: first in the queue again."""
        self._leave(entry)
        entry.phase = Phase.WAITING
        self._waiting.appendleft(entry)

    def remove(self, entry: ScheduledRequest[T]) -> None:
        """It is finished or cancelled, wherever it was; doing it again is fine."""
        if entry.phase is Phase.WAITING:
            self._waiting.remove(entry)
        elif entry.phase is not Phase.DONE:
            self._leave(entry)
        entry.phase = Phase.DONE

    def schedule(self) -> StepPlan[T]:
        """What to do in this turn. Prefills take turns among themselves, in stretches short enough to stall nobody."""
        plan = StepPlan[T](decode=sorted(self._decoding, key=lambda entry: entry.slot))
        if self._prefilling:
            plan.prefill = entry = self._prefilling[0]
            plan.stretch = range(entry.position, min(entry.position + PREFILL_CHUNK, entry.known))
            self._prefilling.rotate(-1)
        return plan

    def advance(self, plan: StepPlan[T]) -> list[ScheduledRequest[T]]:
        """The plan was carried out. Returns those whose window is complete."""
        for entry in plan.decode:
            entry.position += 1
            entry.steps += 1
        if plan.prefill is not None and plan.prefill.phase is Phase.PREFILL:
            self._advance_prefill(plan.prefill, plan.stretch)
        return [entry for entry in plan.decode if entry.position == self._pattern.steps(entry.present.frames)]

    def next_window(self, entry: ScheduledRequest[T]) -> None:
        """Go on with the following window, in the same slot."""
        self._decoding.remove(entry)
        entry.window += 1
        self._begin(entry)

    def _begin(self, entry: ScheduledRequest[T]) -> None:
        if entry.known:
            entry.phase, entry.position = Phase.PREFILL, 0
            self._prefilling.append(entry)
        else:
            self._start_decoding(entry)

    def _advance_prefill(self, entry: ScheduledRequest[T], stretch: range) -> None:
        entry.position = stretch.stop
        entry.steps += 1
        if entry.position == entry.known:
            self._prefilling.remove(entry)
            self._start_decoding(entry)

    def _start_decoding(self, entry: ScheduledRequest[T]) -> None:
        # The inputs before step `prompt` are in the cache; that step is the input that predicts the next one.
        entry.phase, entry.position = Phase.DECODE, entry.present.prompt + 1
        self._decoding.append(entry)

    def _leave(self, entry: ScheduledRequest[T]) -> None:
        (self._prefilling if entry.phase is Phase.PREFILL else self._decoding).remove(entry)
        self._free.append(entry.slot)
        entry.slot = -1
