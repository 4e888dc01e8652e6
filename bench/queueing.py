"""Simulates how long jobs wait, by the number of workers, bursts and priorities.

The order of service is the product's own (`worker.lanes.Turns`). As in the decode engine, jobs join and leave a running
batch at any step, and a step takes longer with more of them.
"""

import random
from collections import defaultdict, deque
from collections.abc import Generator
from typing import Any, NamedTuple

import simpy

from shared.lanes import Priority
from worker.lanes import Turns

STEPS_A_SECOND = 50  # MusicGen's codes for a second of audio


class Machine(NamedTuple):
    """One worker: seconds of a step are `fixed + rows * row`, with at most `slots` rows."""

    fixed: float
    row: float
    slots: int

    def step(self, rows: int) -> float:
        """Seconds of one step."""
        return self.fixed + rows * self.row

    def capacity(self) -> float:
        """Seconds of audio made in a second, with all slots taken."""
        return self.slots / (self.step(self.slots) * STEPS_A_SECOND)


class Load(NamedTuple):
    """What arrives.

    Attributes:
        rate: jobs a second.
        burst: the mean number of jobs that arrive together, geometrically distributed; 1 for a Poisson process.
        lengths: seconds of audio, one of which is drawn for each job; None draws exponentially with a mean of 30.
        mix: the share of each priority.
    """

    rate: float
    burst: float = 1.0
    lengths: tuple[float, ...] | None = (8.0, 15.0, 30.0, 30.0, 30.0, 60.0)
    mix: tuple[tuple[Priority, float], ...] = (("normal", 1.0),)

    def mean_length(self) -> float:
        """Seconds of audio of a job, on average."""
        return 30.0 if self.lengths is None else sum(self.lengths) / len(self.lengths)


class Served(NamedTuple):
    """A finished job: seconds in the queue, and seconds until its audio was complete."""

    priority: Priority
    waited: float
    took: float


class _Job:
    def __init__(self, priority: Priority, seconds: float, queued: float) -> None:
        self.priority = priority
        self.steps = seconds * STEPS_A_SECOND  # that remain
        self.queued = queued
        self.started = queued


class _Queue:
    """Lanes of waiting jobs. Workers that have a free slot wait for `news`."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._lanes: defaultdict[str, deque[_Job]] = defaultdict(deque)
        self.news = env.event()

    def put(self, job: _Job) -> None:
        self._lanes[job.priority].append(job)
        self.news.succeed()
        self.news = self._env.event()

    def take(self, turns: Turns) -> _Job | None:
        waiting = [lane for lane, jobs in self._lanes.items() if jobs]
        if not waiting:
            return None
        lane = turns.order(waiting)[0]
        job = self._lanes[lane].popleft()
        turns.taken(lane, [each for each in waiting if self._lanes[each]])
        return job


def simulate(workers: int, machine: Machine, load: Load, seconds: float, seed: int = 1) -> list[Served]:
    """Serve what arrives within `seconds`; the jobs of the first tenth, which found an empty queue, are left out.

    A run ends with its last arrival's time: under too much load the jobs that still wait are missing from the result.
    """
    env = simpy.Environment()
    queue = _Queue(env)
    served: list[Served] = []
    env.process(_arrivals(env, queue, load, random.Random(seed)))
    for _ in range(workers):
        env.process(_work(env, queue, machine, served, seconds / 10))
    env.run(until=seconds)
    return served


def _arrivals(
    env: simpy.Environment, queue: _Queue, load: Load, draw: random.Random
) -> Generator[simpy.Event, Any, None]:
    priorities, shares = zip(*load.mix, strict=True)
    while True:
        yield env.timeout(draw.expovariate(load.rate / load.burst))
        for _ in range(_burst(load.burst, draw)):
            length = draw.expovariate(1 / 30) if load.lengths is None else draw.choice(load.lengths)
            queue.put(_Job(draw.choices(priorities, shares)[0], length, env.now))


def _burst(mean: float, draw: random.Random) -> int:
    """A geometric number of jobs, at least one."""
    count = 1
    while draw.random() > 1 / mean:
        count += 1
    return count


def _work(
    env: simpy.Environment, queue: _Queue, machine: Machine, served: list[Served], warm: float
) -> Generator[simpy.Event, Any, None]:
    """One worker: fill free slots, and advance all rows until one ends or a job may join."""
    turns = Turns()
    rows: list[_Job] = []
    while True:
        while len(rows) < machine.slots and (job := queue.take(turns)):
            job.started = env.now
            rows.append(job)
        if not rows:
            yield queue.news
            continue
        step, began = machine.step(len(rows)), env.now
        first_end = env.timeout(min(job.steps for job in rows) * step)
        yield first_end if len(rows) == machine.slots else first_end | queue.news
        for job in rows:
            job.steps -= (env.now - began) / step
        ended = [job for job in rows if job.steps < 1e-6]
        rows = [job for job in rows if job.steps >= 1e-6]
        served += (
            Served(job.priority, job.started - job.queued, env.now - job.queued) for job in ended if job.queued > warm
        )
