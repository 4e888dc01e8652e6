"""How long jobs take."""

import pytest

from gateway.estimate import WEIGHT, Estimator
from shared.messages import JobStatus, Timings
from tests.unit.gateway.samples import completed, record


def test_nothing_is_promised_before_a_job_was_timed() -> None:
    estimator = Estimator()
    estimator.observe(completed(model="small"))
    assert estimator.seconds("starter", 10) is None


def test_the_first_job_sets_the_pace_with_all_its_phases() -> None:
    estimator = Estimator()
    timings = Timings(generating=4.0, encoding=0.5, uploading=0.5)
    estimator.observe(completed(duration=10.0, timings=timings))
    assert estimator.seconds("starter", 10) == pytest.approx(5.0)
    assert estimator.seconds("starter", 30) == pytest.approx(15.0)


def test_a_slower_job_moves_the_estimate_by_its_weight() -> None:
    estimator = Estimator()
    estimator.observe(completed(timings=Timings(generating=5.0)))
    estimator.observe(completed(timings=Timings(generating=10.0)))
    assert estimator.seconds("starter", 10) == pytest.approx(5.0 + WEIGHT * 5.0)


def test_the_estimate_follows_a_machine_that_stays_slow() -> None:
    estimator = Estimator()
    estimator.observe(completed(timings=Timings(generating=1.0)))
    for _ in range(30):
        estimator.observe(completed(timings=Timings(generating=20.0)))
    assert estimator.seconds("starter", 10) == pytest.approx(20.0, rel=0.01)


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.COMPLETED])
def test_a_job_that_did_not_complete_teaches_nothing(status: JobStatus) -> None:
    estimator = Estimator()
    estimator.observe(record(status=status, timings=Timings(generating=1.0)))
    assert estimator.seconds("starter", 10) is None
