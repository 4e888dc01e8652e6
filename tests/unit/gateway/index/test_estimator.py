"""Estimates against simulated workers."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.index.estimator import REFIT_INTERVAL, Estimator, QueuePlace
from shared.messages import JobRecord, JobStatus, Timings
from tests.unit.gateway.samples import NOON, completed, record


class Fleet:
    """Workers that share their time among jobs, and the records that they write.

    A job is work of `each + second * duration`; a worker with k jobs does `speed(k)` of it in a second. The clocks of
    the workers differ by an hour.
    """

    def __init__(
        self,
        estimator: Estimator,
        *,
        workers: int = 1,
        slots: int = 8,
        speed: Callable[[int], float] = float,
        each: float = 0.0,
        second: float = 0.5,
    ) -> None:
        self._estimator = estimator
        self._speed = speed
        self._each, self._second = each, second
        self.workers = workers
        self.slots = slots
        self.now = 0.0
        self.number = 0
        self.waiting: list[JobRecord] = []
        self._running: list[dict[str, tuple[JobRecord, float]]] = [{} for _ in range(workers)]
        self.ended: dict[str, float] = {}

    def add(self, *durations: float) -> list[JobRecord]:
        """Queue jobs and start them in free slots."""
        jobs = []
        for duration in durations:
            self.number += 1
            jobs.append(record(self.number, duration=duration))
        self.waiting += jobs
        self._claim()
        return jobs

    def eta(self, of: JobRecord) -> float | None:
        """The estimate for a queued job."""
        ahead = self.waiting[: self.waiting.index(of)]
        seconds = sum(each.recipe.duration for each in ahead)
        behind = len(self.waiting) - len(ahead) - 1
        return self._estimator.queued(
            of, QueuePlace(len(ahead), seconds, behind), self.slots * self.workers, self.workers
        )

    def run(self, seconds: float = 1e9) -> None:
        """Advance the time, at most until all jobs are done."""
        end = self.now + seconds
        while any(self._running) and self.now < end:
            step = min(end - self.now, *self._until_ends())
            for running in self._running:
                rate = self._speed(len(running)) / max(len(running), 1)
                running.update({job_id: (job, left - rate * step) for job_id, (job, left) in running.items()})
            self.now += step
            for number, running in enumerate(self._running):
                for job, left in list(running.values()):
                    if left < 1e-6:
                        self._end(number, job)
            self._claim()
        self._report()

    def _work(self, of: JobRecord) -> float:
        return self._each + self._second * of.recipe.duration

    def _until_ends(self) -> Iterator[float]:
        for running in self._running:
            for _, left in running.values():
                yield left * len(running) / self._speed(len(running))

    def _claim(self) -> None:
        while self.waiting:
            number = min(range(self.workers), key=lambda each: len(self._running[each]))
            if len(self._running[number]) >= self.slots:
                return
            job = self.waiting.pop(0)
            fields: dict[str, Any] = {"started_at": self._clock(number, self.now), "worker_id": f"w{number}"}
            job = record(int(job.job_id[4:]), duration=job.recipe.duration, status=JobStatus.PROCESSING, **fields)
            self._running[number][job.job_id] = job, self._work(job)
            self._estimator.observe(job)

    def _end(self, number: int, job: JobRecord) -> None:
        del self._running[number][job.job_id]
        self.ended[job.job_id] = self.now
        # The engine's own time is not asked for what the whole time shows.
        fields: dict[str, Any] = {
            "started_at": job.started_at,
            "completed_at": self._clock(number, self.now),
            "worker_id": job.worker_id,
            "timings": Timings(generating=1.0),
        }
        self._estimator.observe(completed(int(job.job_id[4:]), duration=job.recipe.duration, **fields))

    def _report(self) -> None:
        for number, running in enumerate(self._running):
            for job, left in running.values():
                fields: dict[str, Any] = {
                    "started_at": job.started_at,
                    "updated_at": self._clock(number, self.now),
                    "worker_id": job.worker_id,
                    "progress": 1 - left / self._work(job),
                }
                self._estimator.observe(
                    record(int(job.job_id[4:]), duration=job.recipe.duration, status=JobStatus.PROCESSING, **fields)
                )

    def _clock(self, number: int, moment: float) -> Any:
        return NOON + timedelta(hours=number, seconds=moment)


def cpu(jobs: int) -> float:
    """Eight concurrent jobs take hardly less time than eight in sequence."""
    return float(jobs**0.3)


class Clock:
    """Advances with each reading, so that every estimate fits again."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += REFIT_INTERVAL
        return self.now


@pytest.fixture
def estimator() -> Estimator:
    return Estimator(Clock())


def ratio(fleet: Fleet, *durations: float) -> float:
    """For the last of these jobs: the estimate when it is queued, divided by the time that it takes."""
    *_, last = fleet.add(*durations)
    began, eta = fleet.now, fleet.eta(last)
    assert eta is not None
    fleet.run()
    return eta / (fleet.ended[last.job_id] - began)


SPEEDS: dict[str, Callable[[int], float]] = {"gpu": float, "cpu": cpu, "in turn": lambda jobs: 1.0}
FLEETS = [{"workers": 1, "slots": 1}, {"workers": 1, "slots": 8}, {"workers": 3, "slots": 4}]


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("fleet", FLEETS, ids=str)
@pytest.mark.parametrize("durations", [[30.0] * 100, [4.0] * 20, [1.0, 30.0] * 30], ids=["long", "few", "mixed"])
def test_estimates_are_accurate_once_all_slots_were_in_use(
    estimator: Estimator, speed: str, fleet: dict[str, int], durations: list[float]
) -> None:
    workers = Fleet(estimator, speed=SPEEDS[speed], **fleet)
    workers.add(*[10.0] * 40)
    workers.run()
    assert 0.7 < ratio(workers, *durations) < 1.65
    # Now jobs of these lengths were seen.
    assert 0.75 < ratio(workers, *durations) < 1.4


@pytest.mark.parametrize("speed", SPEEDS)
def test_before_all_slots_were_in_use_the_error_is_below_the_root_of_their_number(
    estimator: Estimator, speed: str
) -> None:
    workers = Fleet(estimator, speed=SPEEDS[speed])
    for _ in range(3):
        workers.add(10.0)
        workers.run()
    assert 8**-0.5 * 0.9 < ratio(workers, *[10.0] * 40) < 8**0.5 * 1.1


@pytest.mark.parametrize("speed", SPEEDS)
def test_running_long_jobs_correct_estimates_from_short_ones(estimator: Estimator, speed: str) -> None:
    """Two seconds per job are overhead: after many short jobs, the estimate for a long one is too high."""
    workers = Fleet(estimator, speed=SPEEDS[speed], each=2.0, second=0.1)
    workers.add(*[1.0] * 64)
    workers.run()
    *_, last = workers.add(*[30.0] * 100)
    workers.run(3.0 if speed == "gpu" else 20.0)
    began, eta = workers.now, workers.eta(last)
    workers.run()
    assert eta is not None
    assert 0.7 < eta / (workers.ended[last.job_id] - began) < 1.5


def test_there_is_no_estimate_before_a_job_was_timed(estimator: Estimator) -> None:
    estimator.observe(completed(model="small"))
    assert estimator.queued(record(), QueuePlace(0, 0.0), 2, 1) is None
    assert estimator.remaining(record(status=JobStatus.PROCESSING, started_at=NOON), 1) is None


def test_a_running_job_with_enough_progress_gives_an_estimate(estimator: Estimator) -> None:
    fields: dict[str, Any] = {"status": JobStatus.PROCESSING, "started_at": NOON, "worker_id": "w0"}
    for progress, known in ((0.05, False), (0.25, True)):
        estimator.observe(record(2, updated_at=NOON + timedelta(seconds=5), progress=progress, **fields))
        assert (estimator.queued(record(), QueuePlace(0, 0.0), 1, 1) is not None) == known
    # A quarter of ten seconds in five: fifteen are left of those, and twenty to come.
    assert estimator.queued(record(), QueuePlace(0, 0.0), 1, 1) == pytest.approx(35.0)


def test_encoding_and_uploading_are_added_after_the_slot_is_released(estimator: Estimator) -> None:
    timings = Timings(generating=4.0, encoding=0.5, uploading=0.5)
    moments: dict[str, Any] = {"started_at": NOON, "completed_at": NOON + timedelta(seconds=5)}
    estimator.observe(completed(duration=10.0, timings=timings, **moments))
    assert estimator.queued(record(duration=10.0), QueuePlace(0, 0.0), 1, 1) == pytest.approx(5.0)
    assert estimator.queued(record(duration=10.0), QueuePlace(2, 20.0), 1, 1) == pytest.approx(13.0)


def test_the_estimate_follows_a_machine_that_slows_down(estimator: Estimator) -> None:
    workers = Fleet(estimator, slots=1)
    workers.add(*[10.0] * 64)
    workers.run()
    slow = Fleet(estimator, slots=1, second=5.0)
    slow.now, slow.number = workers.now, workers.number
    slow.add(*[10.0] * 64)
    slow.run()
    assert 0.9 < ratio(slow, *[10.0] * 20) < 1.1


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.COMPLETED])
def test_jobs_that_did_not_complete_are_not_sampled(estimator: Estimator, status: JobStatus) -> None:
    estimator.observe(record(status=status, timings=Timings(generating=1.0)))
    assert estimator.queued(record(), QueuePlace(0, 0.0), 1, 1) is None


@pytest.mark.parametrize("progress", [-1.0, 2.0])
def test_an_invalid_progress_is_harmless(estimator: Estimator, progress: float) -> None:
    estimator.observe(record(2, status=JobStatus.PROCESSING, started_at=NOON, progress=progress))
    estimator.observe(completed(3))
    assert (estimator.queued(record(), QueuePlace(0, 0.0), 1, 1) or 0.0) > 0.0


def test_a_download_does_not_sample_a_job_again() -> None:
    once, often = Estimator(), Estimator()
    jobs = [
        completed(
            number,
            started_at=NOON + timedelta(seconds=5 * number),
            completed_at=NOON + timedelta(seconds=5 * number + 5),
            worker_id="w1",
        )
        for number in range(80)
    ]
    for each in jobs:
        once.observe(each)
    for each in [*jobs, *jobs, *jobs[-3:]]:
        often.observe(each)
    waiting, ahead = record(99), QueuePlace(jobs=10, seconds=100.0)
    assert often.queued(waiting, ahead, 1, 1) == once.queued(waiting, ahead, 1, 1)


def test_a_running_job_without_a_record_is_not_counted() -> None:
    estimator = Estimator()
    estimator.observe(completed(1, started_at=NOON, completed_at=NOON + timedelta(seconds=5), worker_id="w1"))
    waiting, ahead = record(3), QueuePlace(jobs=4, seconds=40.0)
    before = estimator.queued(waiting, ahead, 1, 1)
    running = record(2, status=JobStatus.PROCESSING, started_at=NOON, worker_id="w1")
    estimator.observe(running)
    assert estimator.queued(waiting, ahead, 1, 1) != before
    estimator.forget(running)
    estimator.observe(completed(1))  # the same job again: the estimate is made again, from the same
    assert estimator.queued(waiting, ahead, 1, 1) == before
