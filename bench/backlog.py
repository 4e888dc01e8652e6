"""Measures how much faster several workers finish a backlog than one.

`uv run python -m bench.backlog [--workers 1,2,8] [--jobs 48]`

The engine sleeps for a second per job and makes a second of audio, so it takes no core from the pipeline, which
produces, uploads and announces every job. Each worker has one slot.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import msgspec

from bench.arguments import positive_int, positive_ints
from bench.load import Call, LoadGenerator
from bench.parts import Servers, running_servers
from bench.report import machine, show

CLIENTS = 8
BODY = b'{"prompt": "deaf", "duration": 1.0}'
ENGINE = {"MUSICGEN_ENGINE": "tests.engines:load", "MAX_CONCURRENT_JOBS": "1"}
# Times as fast as one worker.
TARGETS = {2: 1.9, 8: 7.0}
POLL_INTERVAL, PATIENCE = 0.2, 180.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    seconds = {}
    with LoadGenerator(CLIENTS) as load:
        for workers in options.workers:
            with TemporaryDirectory() as folder, running_servers(Path(folder)) as servers:
                seconds[workers] = measure(servers, load, workers, options.jobs)
    report(seconds, options.jobs)


def measure(servers: Servers, load: LoadGenerator, workers: int, jobs: int) -> float:
    """Seconds from the start of the first job to the end of the last."""
    with ExitStack() as stack:
        gateway = stack.enter_context(servers.gateway())
        for _ in range(workers):
            stack.enter_context(servers.worker(**ENGINE))
        wait(lambda: sum(each["state"] == "ready" for each in get(gateway.url, "/health")["workers"]) == workers)
        load.run(gateway.url, [Call("/api/v1/generate", BODY)] * jobs)
        wait(lambda: get(gateway.url, "/api/v1/jobs?status=completed&limit=1")["total"] == jobs)
        return duration(_completed(gateway.url))


def duration(jobs: Sequence[dict[str, Any]]) -> float:
    """Seconds between the earliest start and the latest end of finished jobs."""
    starts = [datetime.fromisoformat(job["started_at"]) for job in jobs]
    ends = [datetime.fromisoformat(job["completed_at"]) for job in jobs]
    return (max(ends) - min(starts)).total_seconds()


def report(seconds: dict[int, float], jobs: int) -> None:
    """Print the table and the line of JSON. The first number of workers is what the others are compared with."""
    first, *others = seconds
    ratios = {workers: seconds[first] / seconds[workers] for workers in others}
    rows = [(f"{first} worker{'s' * (first > 1)}, s", f"{seconds[first]:.1f}", "")]
    for workers, ratio in ratios.items():
        target = f"≥ {TARGETS[workers]:g}" if first == 1 and workers in TARGETS else ""
        rows.append((f"{workers} workers, times as fast", f"{ratio:.2f} ({seconds[workers]:.1f} s)", target))
    figures = {
        "seconds": {str(workers): round(each, 2) for workers, each in seconds.items()},
        "ratios": {str(workers): round(each, 2) for workers, each in ratios.items()},
    }
    show(f"A backlog of {jobs} jobs", rows, figures | {"jobs": jobs, "machine": machine()})


def _completed(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(url, f"/api/v1/jobs?status=completed&limit=100{f'&cursor={cursor}' if cursor else ''}")
        found += page["jobs"]
        cursor = page["next_cursor"]
    return found


def get(url: str, path: str) -> Any:
    with urlopen(url + path, timeout=30) as response:
        return msgspec.json.decode(response.read())


def wait(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true.

    Raises:
        RuntimeError: after three minutes.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"The workers or servers did not finish within {PATIENCE:g} s.")
        time.sleep(POLL_INTERVAL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__)
    parser.add_argument("--workers", type=positive_ints, default=[1, 2, 8], help="default: 1,2,8")
    parser.add_argument("--jobs", type=positive_int, default=48, help="default: 48")
    return parser


if __name__ == "__main__":
    main()
