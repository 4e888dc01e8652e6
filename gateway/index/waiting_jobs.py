"""The jobs that wait for a worker, by model and lane, and how many of them come before one."""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import accumulate

from gateway.index.estimator import QueuePlace
from gateway.index.position import Position, position_of, remove_position
from shared.lanes import PATIENCE, priority_of, urgency
from shared.messages import JobRecord

ModelPriority = tuple[str, str]


class Lane:
    """The waiting jobs of one lane, oldest first."""

    def __init__(self) -> None:
        self.order: list[Position] = []
        self._sums: list[float] | None = None  # cumulative durations, until the lane changes

    def add(self, position: Position) -> None:
        insort(self.order, position)
        self._sums = None

    def remove(self, position: Position) -> None:
        remove_position(self.order, position)
        self._sums = None

    def rank(self, position: Position) -> int:
        """How many older jobs the lane has."""
        return bisect_left(self.order, position)

    def holds(self, position: Position) -> bool:
        return self.order[self.rank(position) :][:1] == [position]

    def seconds(self, count: int, duration_of: Callable[[str], float]) -> float:
        """Seconds of audio of the first `count` jobs."""
        if self._sums is None:
            self._sums = list(accumulate((duration_of(each.job_id) for each in self.order), initial=0.0))
        return self._sums[count]


class WaitingJobs:
    """All lanes. `duration_of` returns the duration of a job by its id, in seconds of audio."""

    def __init__(self, duration_of: Callable[[str], float]) -> None:
        self._duration_of = duration_of
        self._lanes: defaultdict[str, defaultdict[str, Lane]] = defaultdict(lambda: defaultdict(Lane))

    def add(self, record: JobRecord) -> None:
        self._lane_of(record).add(position_of(record))

    def remove(self, record: JobRecord) -> None:
        """Remove a job; `record` has the model, lane and creation time of the one that was added."""
        self._lane_of(record).remove(position_of(record))

    def place(self, record: JobRecord) -> QueuePlace:
        """The job's place in the order in which workers take jobs from lanes (worker/lanes.py)."""
        lanes, own = self._lanes[record.recipe.model], self._lane_of(record)
        rank, jobs, seconds = own.rank(position_of(record)), 0, 0.0
        for name, lane in lanes.items():
            ahead = rank if lane is own else _ahead(record, rank, name, lane)
            jobs, seconds = jobs + ahead, seconds + lane.seconds(ahead, self._duration_of)
        others = sum(len(lane.order) for lane in lanes.values()) - own.holds(position_of(record))
        return QueuePlace(jobs, seconds, others - jobs)

    def counts(self) -> Counter[ModelPriority]:
        """How many jobs wait, by model and priority."""
        found = Counter[ModelPriority]()
        for key, lane in self._by_priority():
            found[key] += len(lane.order)
        return found

    def oldest(self) -> dict[ModelPriority, datetime]:
        """When the oldest waiting job was created, by model and priority."""
        found: dict[ModelPriority, datetime] = {}
        for key, lane in self._by_priority():
            created_at = lane.order[0].created_at
            found[key] = min(found.get(key, created_at), created_at)
        return found

    def _by_priority(self) -> Iterator[tuple[ModelPriority, Lane]]:
        """The lanes with jobs."""
        for model, lanes in self._lanes.items():
            for name, lane in lanes.items():
                if lane.order:
                    yield (model, priority_of(name)), lane

    def _lane_of(self, record: JobRecord) -> Lane:
        return self._lanes[record.recipe.model][record.lane]


def _ahead(record: JobRecord, rank: int, name: str, lane: Lane) -> int:
    """How many jobs of another lane come before the job that is `rank`th in its own."""
    difference = urgency(name) - urgency(record.lane)
    if difference > 0:
        return 0
    if difference < 0:
        return min(len(lane.order), PATIENCE * (rank + 1))
    # Lanes of one priority take turns: first the oldest job of each, then the second of each.
    is_older = rank < len(lane.order) and lane.order[rank] < position_of(record)
    return min(len(lane.order), rank) + is_older
