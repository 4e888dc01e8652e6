"""Measures the pipeline beside FastAPI with RQ and with Celery, both on Redis, with one load generator in one run.

`uv run --group pipelines python -m bench.peers [--clients 20] [--requests 1000] [--jobs 24]`

Each accepts jobs, answers for their status, and lets two workers finish a backlog of sleeping jobs. Redis writes its
log to the disk every second, nats-server every five. Only the service also makes, masters, draws and uploads a second
of audio for each job, and announces events. Needs redis-server (`apt install redis-server`).
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from bench.arguments import positive_int
from bench.backlog import ENGINE, wait
from bench.load import Call, LoadGenerator
from bench.parts import is_answered, running_servers
from bench.report import machine, milliseconds, percentile, show
from bench.stack import end, free_port
from deploy.stack.ports import LOOPBACK

WORKERS = 2
WARM_UP = 100
POLLS = 3  # of each job
BODY = b'{"prompt": "deaf", "duration": 1.0}'
SERVICE = "this service"


class Figures(NamedTuple):
    """Accepted jobs and statuses a second, latencies in seconds, and seconds until the backlog is done."""

    accepts: float
    polls: float
    accept_latencies: list[float]
    poll_latencies: list[float]
    backlog: float


class Pipeline(NamedTuple):
    """A running pipeline: its URL, and what starts its workers."""

    url: str
    start_workers: Callable[[ExitStack], None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    found = {}
    with LoadGenerator(options.clients) as load:
        for name, run in PIPELINES.items():
            with TemporaryDirectory() as folder, run(Path(folder)) as pipeline:
                found[name] = measure(load, pipeline, options.requests, options.jobs)
    report(found, options.clients, options.jobs)


def measure(load: LoadGenerator, pipeline: Pipeline, requests: int, jobs: int) -> Figures:
    """Let two workers finish a backlog, then accept and poll without any."""
    generate = Call("/api/v1/generate", BODY)
    with ExitStack() as stack:
        pipeline.start_workers(stack)
        _finish(load, pipeline.url, WORKERS)  # until they run
        backlog = _finish(load, pipeline.url, jobs)
    load.run(pipeline.url, [generate] * WARM_UP)
    accepts = load.run(pipeline.url, [generate] * requests)
    names = [_name(answer) for answer in accepts.answers]
    polls = load.run(pipeline.url, [Call(f"/api/v1/status/{name}") for name in names] * POLLS)
    return Figures(accepts.rate, polls.rate, accepts.latencies, polls.latencies, backlog)


def _finish(load: LoadGenerator, url: str, jobs: int) -> float:
    """Seconds from the first request for a job until all are completed."""
    started = time.perf_counter()
    left = [_name(answer) for answer in load.run(url, [Call("/api/v1/generate", BODY)] * jobs).answers]

    def is_done() -> bool:
        nonlocal left
        answers = load.run(url, [Call(f"/api/v1/status/{name}") for name in left]).answers
        left = [name for name, answer in zip(left, answers, strict=True) if b'"completed"' not in answer]
        return not left

    wait(is_done)
    return time.perf_counter() - started


def _name(answer: bytes) -> str:
    return str(msgspec.json.decode(answer)["job_id"])


def report(found: dict[str, Figures], clients: int, jobs: int) -> None:
    """Print the table and the line of JSON: each peer's figure, and what divides this service's by it."""
    ours = found[SERVICE]
    ideal = jobs / WORKERS
    rows, figures = list[tuple[str, ...]](), dict[str, object]()
    for name, each in found.items():
        added = (each.backlog - ideal) / ideal
        spreads = (_spread(each.accept_latencies), _spread(each.poll_latencies))
        rows.append((name, f"{each.accepts:.0f} ({spreads[0]})", f"{each.polls:.0f} ({spreads[1]})", f"{added:.0%}"))
        figures[name] = {"accepts_per_s": each.accepts, "polls_per_s": each.polls, "backlog_s": each.backlog} | {
            "accepts_ratio": ours.accepts / each.accepts,
            "polls_ratio": ours.polls / each.polls,
        }
    for name, each in found.items():
        if name != SERVICE:
            ratios = (ours.accepts / each.accepts, ours.polls / each.polls, ours.backlog / each.backlog)
            rows.append((f"{SERVICE} by {name}", *(f"{ratio:.2f}" for ratio in ratios)))
    columns = (
        "pipeline",
        "accepts a second (p50/p99 ms)",
        "statuses a second (p50/p99 ms)",
        "backlog, beyond sleeping",
    )
    show(f"{clients} clients, {WORKERS} workers, {jobs} jobs of 1 s", rows, figures | {"machine": machine()}, columns)


def _spread(seconds: Sequence[float]) -> str:
    return "/".join(f"{milliseconds(percentile(seconds, percent)):.0f}" for percent in (50, 99))


@contextmanager
def _service(folder: Path) -> Iterator[Pipeline]:
    with running_servers(folder) as servers, servers.gateway() as gateway:

        def start(stack: ExitStack) -> None:
            for _ in range(WORKERS):
                stack.enter_context(servers.worker(**ENGINE))

        yield Pipeline(gateway.url, start)


@contextmanager
def _peer(name: str, worker: Sequence[str], folder: Path) -> Iterator[Pipeline]:
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is not installed: `apt install redis-server`, or put it on the PATH.")
    redis, port = free_port(), free_port()
    url = f"redis://{LOOPBACK}:{redis}/0"
    environment = os.environ | {"PEER": name, "REDIS_URL": url, "RQ_REDIS_URL": url}
    server = [program, "--port", str(redis), "--bind", LOOPBACK, "--dir", str(folder)]
    serve = [*MODULE, "uvicorn", "bench.peer_service:app", "--port", str(port), "--log-level", "warning"]
    with ExitStack() as stack:
        stack.enter_context(_process([*server, "--appendonly", "yes", "--appendfsync", "everysec"], environment))
        stack.enter_context(_process(serve, environment))
        wait(lambda: is_answered(port, "/docs"))

        def start(workers: ExitStack) -> None:
            for _ in range(WORKERS):
                workers.enter_context(_process([*MODULE, *worker], environment))

        yield Pipeline(f"http://{LOOPBACK}:{port}", start)


@contextmanager
def _process(command: Sequence[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        end(process)


MODULE = (sys.executable, "-m")
CELERY = ("celery", "-A", "bench.peer_service:celery", "worker", "--concurrency", "1")
PIPELINES: dict[str, Callable[[Path], AbstractContextManager[Pipeline]]] = {
    SERVICE: _service,
    "FastAPI, RQ": partial(_peer, "rq", ("rq.cli", "worker")),
    "FastAPI, Celery": partial(_peer, "celery", CELERY),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--clients", type=positive_int, default=20, help="concurrent clients (default: 20)")
    parser.add_argument("--requests", type=positive_int, default=1000, help="jobs to accept (default: 1000)")
    parser.add_argument("--jobs", type=positive_int, default=24, help="in the backlog (default: 24)")
    return parser


if __name__ == "__main__":
    main()
