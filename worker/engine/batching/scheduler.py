"""Who runs next. Knows no torch and does no I/O: it counts steps and hands out slots."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Generic, TypeVar

from worker.engine.batching.delay import DelayPattern
from worker.engine.batching.windows import Window

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
class Run(Generic[T]):
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
class Plan(Generic[T]):
    """The work of one turn: a stretch of one prefill, and one step of everybody else."""

    prefill: Run[T] | None = None
    stretch: range = range(0)
    decode: list[Run[T]] = field(default_factory=list)


class Scheduler(Generic[T]):
    """First come, first served; a freed slot is taken at the next turn."""

    def __init__(self, slots: int, pattern: DelayPattern) -> None:
        self._pattern = pattern
        self._free = list(range(slots))
        self._waiting: deque[Run[T]] = deque()
        self._prefilling: deque[Run[T]] = deque()
        self._decoding: list[Run[T]] = []

    @property
    def is_idle(self) -> bool:
        return not (self._waiting or self._prefilling or self._decoding)

    @property
    def running(self) -> list[Run[T]]:
        """Everybody who has a slot."""
        return [*self._prefilling, *self._decoding]

    @property
    def can_admit(self) -> bool:
        return bool(self._waiting and self._free)

    def turns(self, run: Run[T]) -> int:
        """How often a request takes part before it is complete."""
        return sum(
            ceil((run.prefix + window.prompt) / PREFILL_CHUNK) + window.new + self._pattern.longest
            for window in run.windows
        )

    def add(self, run: Run[T]) -> None:
        """Queue a request."""
        self._waiting.append(run)

    def admit(self) -> Run[T]:
        """Give the next one the lowest free slot."""
        run = self._waiting.popleft()
        run.slot = min(self._free)
        self._free.remove(run.slot)
        self._begin(run)
        return run

    def put_back(self, run: Run[T]) -> None:
        """There was no memory for it: first in the queue again."""
        self._leave(run)
        run.phase = Phase.WAITING
        self._waiting.appendleft(run)

    def remove(self, run: Run[T]) -> None:
        """It is finished or cancelled, wherever it was; doing it again is fine."""
        if run.phase is Phase.WAITING:
            self._waiting.remove(run)
        elif run.phase is not Phase.DONE:
            self._leave(run)
        run.phase = Phase.DONE

    def schedule(self) -> Plan[T]:
        """What to do in this turn. Prefills take turns among themselves, in stretches short enough to stall nobody."""
        plan = Plan[T](decode=sorted(self._decoding, key=lambda run: run.slot))
        if self._prefilling:
            plan.prefill = run = self._prefilling[0]
            plan.stretch = range(run.position, min(run.position + PREFILL_CHUNK, run.known))
            self._prefilling.rotate(-1)
        return plan

    def advance(self, plan: Plan[T]) -> list[Run[T]]:
        """The plan was carried out. Returns those whose window is complete."""
        for run in plan.decode:
            run.position += 1
            run.steps += 1
        if plan.prefill is not None and plan.prefill.phase is Phase.PREFILL:
            self._advance_prefill(plan.prefill, plan.stretch)
        return [run for run in plan.decode if run.position == self._pattern.steps(run.present.frames)]

    def next_window(self, run: Run[T]) -> None:
        """Go on with the following window, in the same slot."""
        self._decoding.remove(run)
        run.window += 1
        self._begin(run)

    def _begin(self, run: Run[T]) -> None:
        if run.known:
            run.phase, run.position = Phase.PREFILL, 0
            self._prefilling.append(run)
        else:
            self._start_decoding(run)

    def _advance_prefill(self, run: Run[T], stretch: range) -> None:
        run.position = stretch.stop
        run.steps += 1
        if run.position == run.known:
            self._prefilling.remove(run)
            self._start_decoding(run)

    def _start_decoding(self, run: Run[T]) -> None:
        # The inputs before step `prompt` are in the cache; that step is the input that predicts the next one.
        run.phase, run.position = Phase.DECODE, run.present.prompt + 1
        self._decoding.append(run)

    def _leave(self, run: Run[T]) -> None:
        (self._prefilling if run.phase is Phase.PREFILL else self._decoding).remove(run)
        self._free.append(run.slot)
        run.slot = -1
