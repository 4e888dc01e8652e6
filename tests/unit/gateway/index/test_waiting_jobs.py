"""A job's place in the queue, against the order in which a worker takes the jobs."""

from msgspec.structs import replace

from gateway.index.waiting_jobs import WaitingJobs
from shared.messages import JobRecord
from tests.unit.gateway.samples import record
from worker.lanes import Turns


def queue_of(*lanes: str) -> list[JobRecord]:
    """Jobs in these lanes; each is older than the next one, and as long as its number."""
    return [
        replace(record(number, age=len(lanes) - number, duration=number + 1.0), lane=lane)
        for number, lane in enumerate(lanes)
    ]


def waiting(jobs: list[JobRecord]) -> WaitingJobs:
    found = WaitingJobs(lambda job_id: next(job.recipe.duration for job in jobs if job.job_id == job_id))
    for job in jobs:
        found.add(job)
    return found


def served(jobs: list[JobRecord]) -> list[JobRecord]:
    """The jobs in the order in which one worker takes them."""
    turns, left, order = Turns(), list(jobs), list[JobRecord]()
    while left:
        lanes = list(dict.fromkeys(job.lane for job in left))
        lane = turns.order(lanes)[0]
        job = next(job for job in left if job.lane == lane)
        left.remove(job)
        order.append(job)
        turns.taken(lane, lanes)
    return order


def test_places_are_the_order_of_service() -> None:
    for lanes in (
        ["normal"] * 5,
        ["normal-1"] * 6 + ["normal-2", "normal-3", "normal-2"],
        ["batch", "normal", "interactive", "normal", "batch", "interactive"],
        ["batch-1"] * 3 + ["interactive-1"] * 3 + ["interactive-2"],
    ):
        jobs = queue_of(*lanes)
        index = waiting(jobs)
        order = served(jobs)
        for number, job in enumerate(order):
            place = index.place(job)
            assert place.jobs == number, lanes
            assert place.seconds == sum(each.recipe.duration for each in order[:number])
            assert place.behind == len(jobs) - number - 1


def test_patience_limits_how_many_urgent_jobs_come_before_a_batch_job() -> None:
    jobs = queue_of(*["interactive"] * 100, "batch", "batch")
    index, order = waiting(jobs), served(jobs)
    for batch in jobs[-2:]:
        assert abs(index.place(batch).jobs - order.index(batch)) <= 1


def test_a_removed_job_counts_no_more() -> None:
    jobs = queue_of("normal-1", "normal-2", "normal-1")
    index = waiting(jobs)
    assert index.place(jobs[2]).jobs == 2
    index.remove(jobs[0])
    assert (index.place(jobs[2]).jobs, index.place(jobs[2]).seconds) == (1, jobs[1].recipe.duration)
    assert index.counts() == {("starter", "normal"): 2}
    assert index.oldest() == {("starter", "normal"): jobs[1].created_at}


def test_jobs_are_counted_by_priority_over_all_shares() -> None:
    jobs = queue_of("batch-3", "batch-7", "interactive", "normal-2")
    index = waiting(jobs)
    assert index.counts() == {("starter", "batch"): 2, ("starter", "interactive"): 1, ("starter", "normal"): 1}
    assert index.oldest()["starter", "batch"] == jobs[0].created_at
