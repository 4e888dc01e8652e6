"""Estimates how long jobs take from completed and running jobs.

A worker's time is divided evenly among the jobs that it runs concurrently. Each job so has a *cost* in seconds of one
worker's time, and the costs of all jobs add up to the worker's busy time. The jobs ahead of a job take the sum of their
costs, however many slots share the work. A job's timestamps are all from its worker's clock.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from shared.bounded import BoundedDict
from shared.messages import JobRecord, JobStatus

# Completed jobs remembered per model, and the weight of each relative to the next newer one.
SAMPLES, DECAY = 64, 0.97
# Each of k concurrent jobs costs between 1/k of its exclusive cost (a GPU with room) and all of it (a CPU). Until jobs
# were seen at this concurrency, the geometric mean is assumed.
SHARING_EXPONENT = 0.5
# While all samples have the same duration, the fixed cost of a job is assumed to equal this many seconds of audio. The
# assumption weighs this share of the samples.
PRIOR_OVERHEAD, PRIOR_WEIGHT = 3.0, 0.05
# Running jobs are sampled from this progress on.
MIN_PROGRESS = 0.1
# Running jobs remembered per model. More are leftovers of removed records.
MAX_RUNNING = 1024
# Seconds between two fits: many clients poll in between.
REFIT_INTERVAL = 1.0


class QueuePlace(NamedTuple):
    """A job's place in the queue: the number of jobs ahead, their seconds of audio, and the number of jobs behind."""

    jobs: int
    seconds: float
    behind: int = 0


class TimedJob(NamedTuple):
    """A job's time in the engine, from claim to its last sample or report.

    Attributes:
        seconds: the requested duration of the audio.
        tail: seconds of encoding and uploading after that.
    """

    worker_id: str | None
    seconds: float
    began: float
    ended: float
    tail: float = 0.0
    progress: float = 1.0


class CostSample(NamedTuple):
    """A job's duration in seconds of audio, its cost, and the mean number of jobs in the worker, itself included."""

    seconds: float
    cost: float
    shared: float
    weight: float


class CostModel(NamedTuple):
    """A job's cost is `each + second * seconds`; after its slot is released it takes another `tail * seconds`."""

    each: float
    second: float
    tail: float

    def of(self, jobs: float, seconds: float) -> float:
        return self.each * jobs + self.second * seconds


class Estimator:
    """Cost models by MusicGen model. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done = defaultdict[str, BoundedDict[str, TimedJob]](lambda: BoundedDict(SAMPLES))
        self._running = defaultdict[str, BoundedDict[str, TimedJob]](lambda: BoundedDict(MAX_RUNNING))
        self._costs: dict[str, tuple[float, list[CostSample], dict[float, CostModel]]] = {}

    def observe(self, record: JobRecord) -> None:
        """Sample a running or completed job; other jobs are ignored."""
        model, job_id = record.recipe.model, record.job_id
        running = self._running[model]
        running.pop(job_id, None)
        if record.status is JobStatus.PROCESSING and record.started_at is not None:
            running[job_id] = _running(record, record.started_at)
        elif record.status is JobStatus.COMPLETED and record.timings is not None:
            self._learn(model, job_id, _done(record))

    def forget(self, record: JobRecord) -> None:
        """Drop a job whose record was removed."""
        self._running[record.recipe.model].pop(record.job_id, None)

    def _learn(self, model: str, job_id: str, run: TimedJob) -> None:
        """Sample each completed job once: downloads change its record again."""
        done = self._done[model]
        if job_id in done or (len(done) == SAMPLES and run.ended < next(iter(done.values())).ended):
            return
        done[job_id] = run
        self._costs.pop(model, None)

    def queued(self, record: JobRecord, ahead: QueuePlace, slots: int, workers: int) -> float | None:
        """Seconds until a queued job completes; None before the first job of its model was timed.

        Args:
            record: the job's record.
            ahead: its place in the queue.
            slots: the slots of all workers of the model.
            workers: the number of these workers.
        """
        model, length = record.recipe.model, record.recipe.duration
        running = self._running[model]
        shared = max(min(len(running) + ahead.jobs + 1, slots) / workers, 1.0)
        cost = self._cost(model, shared)
        if cost is None:
            return None
        own, tail = cost.of(1, length), cost.tail * length
        if len(running) + ahead.jobs < slots:
            return shared * own + tail
        before = cost.of(ahead.jobs, ahead.seconds)
        before += sum(cost.of(1, run.seconds) * (1 - run.progress) for run in running.values())
        # Jobs behind it that share its worker get half of their work done before it completes.
        sharing = min(ahead.behind, slots - workers) / workers / 2
        return max(shared * own, before / workers + own * (1 + sharing)) + tail

    def remaining(self, record: JobRecord, workers: int) -> float | None:
        """Seconds until a running job completes; None before the first job of its model was timed."""
        model, length = record.recipe.model, record.recipe.duration
        shared = max(len(self._running[model]) / max(workers, 1), 1.0)
        cost = self._cost(model, shared)
        if cost is None or record.started_at is None:
            return None
        latency = shared * cost.of(1, length)
        elapsed = (record.updated_at - record.started_at).total_seconds()
        left = latency * (1 - record.progress) if record.progress else max(latency - elapsed, 0.0)
        return left + cost.tail * length

    def _cost(self, model: str, shared: float) -> CostModel | None:
        fitted_at, samples, costs = self._costs.get(model, (-math.inf, [], {}))
        if self._clock() - fitted_at >= REFIT_INTERVAL:
            samples, costs = list(_samples(self._done[model].values(), self._running[model].values())), {}
            self._costs[model] = self._clock(), samples, costs
        if samples and shared not in costs:
            costs[shared] = _fit(samples, shared, _tail(self._done[model].values()))
        return costs.get(shared)


def _running(record: JobRecord, started_at: datetime) -> TimedJob:
    began, ended = started_at.timestamp(), record.updated_at.timestamp()
    progress = min(max(record.progress, 0.0), 1.0)
    return TimedJob(record.worker_id, record.recipe.duration, began, max(began, ended), progress=progress)


def _done(record: JobRecord) -> TimedJob:
    assert record.timings is not None
    tail = record.timings.encoding + record.timings.uploading
    ended = (record.completed_at or record.updated_at).timestamp() - tail
    began = record.started_at.timestamp() if record.started_at else ended - record.timings.generating
    return TimedJob(record.worker_id, record.recipe.duration, min(began, ended), ended, tail)


def _tail(done: Iterable[TimedJob]) -> float:
    runs = list(done)
    return sum(run.tail for run in runs) / sum(run.seconds for run in runs) if runs else 0.0


def _samples(done: Iterable[TimedJob], running: Iterable[TimedJob]) -> Iterator[CostSample]:
    """The samples of all jobs. Newer ones weigh more; a running job weighs in proportion to its progress."""
    by_worker: defaultdict[str | None, list[tuple[int, TimedJob]]] = defaultdict(list)
    for age, run in enumerate(reversed(list(done))):
        by_worker[run.worker_id].append((age, run))
    for run in running:
        by_worker[run.worker_id].append((0, run))
    for runs in by_worker.values():
        shares = _shares([run for _, run in runs])
        for (age, run), share in zip(runs, shares, strict=True):
            length = run.ended - run.began
            if run.progress >= MIN_PROGRESS and share > 0:
                yield CostSample(run.seconds, share / run.progress, length / share, DECAY**age * run.progress)


def _shares(runs: list[TimedJob]) -> list[float]:
    """Each job's share of its worker's time: an interval that k jobs have in common is divided by k."""
    moments = sorted({moment for run in runs for moment in (run.began, run.ended)})
    place = {moment: number for number, moment in enumerate(moments)}
    change = [0] * len(moments)
    for run in runs:
        change[place[run.began]] += 1
        change[place[run.ended]] -= 1
    busy, shared = 0, [0.0]  # at each moment: the time so far, each interval divided by its number of jobs
    for number in range(len(moments) - 1):
        busy += change[number]
        shared.append(shared[-1] + (moments[number + 1] - moments[number]) / max(busy, 1))
    return [shared[place[run.ended]] - shared[place[run.began]] for run in runs]


def _fit(samples: list[CostSample], shared: float, tail: float) -> CostModel:
    """Weighted least squares of cost by duration, scaled to `shared` concurrent jobs."""
    points = [(0.0, 0.0, 0.0)]
    for seconds, cost, others, weight in samples:
        ratio = others / shared
        points.append((seconds, cost * ratio**SHARING_EXPONENT, weight * min(ratio, 1 / ratio) ** 2))
    total = sum(weight for _, _, weight in points)
    points[0] = (-PRIOR_OVERHEAD, 0.0, PRIOR_WEIGHT * total)
    total *= 1 + PRIOR_WEIGHT
    mean_x = sum(x * weight for x, _, weight in points) / total
    mean_y = sum(y * weight for _, y, weight in points) / total
    spread = sum(weight * (x - mean_x) ** 2 for x, _, weight in points)
    second = max(sum(weight * (x - mean_x) * (y - mean_y) for x, y, weight in points) / spread, 0.0)
    each = mean_y - second * mean_x
    return CostModel(each, second, tail) if each > 0 else CostModel(0.0, mean_y / mean_x, tail)
