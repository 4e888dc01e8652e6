"""The simulation of queues, held against results of queueing theory."""

import math
from statistics import fmean

import pytest

from bench.queueing import Load, Machine, simulate
from shared.lanes import Priority

# As fast as real time, one job at a time: the queue of the textbooks.
SERVER = Machine(fixed=1 / 50, row=0.0, slots=1)


def erlang_c(servers: int, offered: float) -> float:
    """The probability that a job waits in a queue M/M/c (A. K. Erlang, 1917)."""
    full = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return full / (sum(offered**count / math.factorial(count) for count in range(servers)) + full)


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.6), (4, 0.7)])
def test_exponential_jobs_wait_as_erlang_c_says(servers: int, busy: float) -> None:
    load = Load(rate=busy * servers / 30, lengths=None)
    served = simulate(servers, SERVER, load, 20_000 / load.rate)
    wanted = erlang_c(servers, busy * servers) / ((1 - busy) * servers / 30)
    assert fmean(job.waited for job in served) == pytest.approx(wanted, rel=0.1)


def test_jobs_of_one_length_wait_as_pollaczek_and_khinchine_say() -> None:
    load = Load(rate=0.7 / 30, lengths=(30.0,))
    served = simulate(1, SERVER, load, 20_000 / load.rate)
    assert fmean(job.waited for job in served) == pytest.approx(0.7 * 30 / (2 * 0.3), rel=0.1)


def test_a_running_batch_shares_its_steps_and_rows_leave_it_at_their_end() -> None:
    """Two jobs that arrive together in a worker of two slots: the second half of the longer one is faster."""
    machine = Machine(fixed=0.01, row=0.01, slots=2)
    load = Load(rate=1e-3, burst=2.0, lengths=(10.0, 20.0))
    took = {round(job.took, 6) for job in simulate(1, machine, load, 400_000) if job.waited == 0}
    # Alone 0.02 s a step, together 0.03: 500 or 1000 steps each.
    assert {10.0, 20.0, 15.0, 25.0, 30.0} <= took


def test_urgent_jobs_hardly_wait_while_others_queue_up_and_these_are_not_starved() -> None:
    mix: tuple[tuple[Priority, float], ...] = (("interactive", 0.2), ("batch", 0.8))
    load = Load(rate=1.3 / 30, lengths=(30.0,), mix=mix)  # more than the server can do
    served = simulate(1, SERVER, load, 100_000)
    urgent, batch = ([job.waited for job in served if job.priority == each] for each in ("interactive", "batch"))
    assert fmean(urgent) < 60 < 5_000 < fmean(batch)
    assert len(batch) > len(urgent)
