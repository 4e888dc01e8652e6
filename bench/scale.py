"""Plots how long jobs wait: by load and number of workers, by bursts, and by priority. See docs/scale.md.

`uv run python -m bench.scale [--jobs 40000] [--picture FILE]`; a few minutes on one core, the same figures each time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.arguments import positive_int
from bench.queueing import Load, Machine, Served, simulate
from bench.report import percentile, show
from shared.lanes import PRIORITIES, Priority

# Two cores of an AMD EPYC (Zen 5), measured: small makes audio at 1.63 times real time for one, 6.6 for eight.
CPU = Machine(fixed=10.6e-3, row=1.7e-3, slots=8)
# An H200, computed and not measured: a step reads 0.72 GB of weights, and on average 0.15 GB for each row, at 40% of
# 4.8 TB/s, about the middle of what engines with CUDA graphs are published to reach.
GPU = Machine(fixed=0.38e-3, row=0.08e-3, slots=64)
WORKERS = (1, 3, 10)
LOADS = (0.5, 0.7, 0.8, 0.9, 0.95)
BURSTS = (1, 8, 64, 256)
MIX: tuple[tuple[Priority, float], ...] = (("interactive", 0.2), ("normal", 0.4), ("batch", 0.4))
OVERLOADS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.3)


class Line(NamedTuple):
    """One line of a plot: its name and, by place on the x axis, seconds."""

    name: str
    points: dict[float, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, print, and draw."""
    parser = argparse.ArgumentParser(prog="bench.scale", description=__doc__)
    parser.add_argument("--jobs", type=positive_int, default=40_000, help="jobs of each point")
    parser.add_argument("--picture", type=Path, help="where to write the plots as a PNG")
    options = parser.parse_args(arguments)
    plots = {
        "load": by_workers(options.jobs),
        "burst": by_bursts(options.jobs),
        "overload": by_priority(options.jobs),
    }
    rows = [
        (f"{axis} {place:g}, {line.name}", f"{seconds:.1f} s", "")
        for axis, lines in plots.items()
        for line in lines
        for place, seconds in line.points.items()
    ]
    figures = {axis: {line.name: list(line.points.items()) for line in lines} for axis, lines in plots.items()}
    show("Seconds in the queue that 95% of the jobs do not exceed", rows, figures)
    if options.picture:
        draw(plots["load"], plots["burst"], plots["overload"], options.picture)


def by_workers(jobs: int) -> list[Line]:
    """Seconds in the queue by load, for workers of two cores."""
    return [
        Line(f"{workers} × two cores", {load: late_wait(_run(workers, CPU, load, jobs)) for load in LOADS})
        for workers in WORKERS
    ]


def by_bursts(jobs: int) -> list[Line]:
    """Seconds in the queue by the mean size of bursts, for one GPU."""
    return [
        Line(f"load {load:.0%}", {burst: late_wait(_run(1, GPU, load, jobs, burst=burst)) for burst in BURSTS})
        for load in (0.5, 0.8)
    ]


def by_priority(jobs: int) -> list[Line]:
    """Seconds in the queue by load beyond what two workers of two cores can do, for each priority."""
    runs = {load: _run(2, CPU, load, jobs, mix=MIX) for load in OVERLOADS}
    return [
        Line(
            priority, {load: late_wait([job for job in run if job.priority == priority]) for load, run in runs.items()}
        )
        for priority in PRIORITIES
    ]


def late_wait(jobs: Sequence[Served]) -> float:
    """Seconds in the queue that 95% of the jobs do not exceed."""
    return percentile([job.waited for job in jobs], 95)


def _run(
    workers: int,
    machine: Machine,
    share: float,
    jobs: int,
    burst: float = 1.0,
    mix: tuple[tuple[Priority, float], ...] = (("normal", 1.0),),
) -> list[Served]:
    """Simulate `share` of what the workers can do at most."""
    load = Load(1.0, burst, mix=mix)
    load = load._replace(rate=share * workers * machine.capacity() / load.mean_length())
    return simulate(workers, machine, load, jobs / load.rate)


def draw(workers: list[Line], bursts: list[Line], priorities: list[Line], file: Path) -> None:
    """Write the three plots side by side."""
    from matplotlib.figure import Figure  # here, because it takes a second
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(13, 4), layout="constrained", dpi=100)
    left, middle, right = figure.subplots(1, 3)
    for axes, lines, label in (
        (left, workers, "load, of all that the workers can do"),
        (middle, bursts, "jobs that arrive together, on average"),
        (right, priorities, "load on two workers of two cores"),
    ):
        for line in lines:
            axes.plot(list(line.points), list(line.points.values()), marker="o", label=line.name)
        axes.set(xlabel=label, ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()
    left.set(title="More workers share their reserves", ylabel="seconds in the queue, 95th percentile")
    middle.set(title="Bursts on one GPU", xscale="log", xticks=BURSTS, xticklabels=BURSTS)
    middle.minorticks_off()
    right.set(title="Priorities under too much load", yscale="symlog")
    left.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    right.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    figure.savefig(file)


if __name__ == "__main__":
    main()
