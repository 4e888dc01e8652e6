"""Measures how fast the gateway starts, accepts jobs and answers status requests.

`uv run python -m bench.gateway [--clients 20] [--requests 2000] [--url URL]`
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from bench.load import Call, LoadGenerator, Measured
from bench.report import machine, milliseconds, percentile, show
from bench.stack import end, free_port, running_stack
from deploy.stack.credentials import load_credentials
from deploy.stack.data_folder import read_run_file
from deploy.stack.ports import LOOPBACK
from gateway.schemas import JobAccepted

COLD_STARTS = 5
COLD_START_TIMEOUT = 60.0
WARM_UP = 100
# The queue takes 1000 jobs, and no worker empties it: a round stays below that, and each round has a new queue.
ROUND = 800
STATUS_POLLS = 2  # of each job
BODY = b'{"prompt": "upbeat electronic music with synthesizer and drums", "duration": 8.0}'


class Round(NamedTuple):
    """The measurements of one round of requests."""

    posts: Measured
    polls: Measured


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    with LoadGenerator(options.clients) as load:
        if options.url:
            report(options.clients, None, [measure_round(load, options.url, options.requests)])
            return
        cold_start, rounds = 0.0, []
        for first in range(0, options.requests, ROUND):
            with TemporaryDirectory() as folder, running_stack(Path(folder), "--no-worker") as url:
                cold_start = cold_start or measure_cold_start(Path(folder))
                rounds.append(measure_round(load, url, min(ROUND, options.requests - first)))
    report(options.clients, cold_start, rounds)


def measure_round(load: LoadGenerator, url: str, requests: int) -> Round:
    """Submit jobs from all clients at once, then poll each job."""
    generate = Call("/api/v1/generate", BODY)
    load.run(url, [generate] * WARM_UP)
    posts = load.run(url, [generate] * requests)
    jobs = [msgspec.json.decode(answer, type=JobAccepted).job_id for answer in posts.answers]
    return Round(posts, load.run(url, [Call(f"/api/v1/status/{job}") for job in jobs] * STATUS_POLLS))


def measure_cold_start(data_dir: Path) -> float:
    """Median seconds from starting the process of a second gateway until it answers."""
    environment = _gateway_environment(data_dir)
    return statistics.median(_cold_start(environment) for _ in range(COLD_STARTS))


def report(clients: int, cold_start: float | None, rounds: Sequence[Round]) -> None:
    """Print the table and the line of JSON."""
    posts = [seconds for each in rounds for seconds in each.posts.latencies]
    polls = [seconds for each in rounds for seconds in each.polls.latencies]
    rate = len(posts) / sum(each.posts.seconds for each in rounds)
    figures = {
        "cold_start_s": None if cold_start is None else round(cold_start, 3),
        "post_p50_ms": milliseconds(percentile(posts, 50)),
        "post_p99_ms": milliseconds(percentile(posts, 99)),
        "status_p50_ms": milliseconds(percentile(polls, 50)),
        "status_p99_ms": milliseconds(percentile(polls, 99)),
        "requests_per_s": round(rate, 1),
        "clients": clients,
        "machine": machine(),
    }
    rows = [
        ("cold start, s", "-" if cold_start is None else f"{cold_start:.2f}", "≤ 2"),
        ("POST p50/p90/p99/max, ms", _spread(posts), "p50 ≤ 10, p99 ≤ 50"),
        ("status p50/p90/p99/max, ms", _spread(polls), ""),
        ("POST requests a second", f"{rate:.0f}", ""),
    ]
    show(f"Gateway, {clients} clients, {len(posts)} jobs", rows, figures)


def _spread(seconds: Sequence[float]) -> str:
    points = [*(percentile(seconds, percent) for percent in (50, 90, 99)), max(seconds)]
    return " / ".join(f"{point * 1000:.1f}" for point in points)


def _gateway_environment(data_dir: Path) -> dict[str, str]:
    """The environment that `up` gives its gateway, with another port."""
    urls = {each.role: each.urls[0] for each in read_run_file(data_dir)}
    credentials = load_credentials(data_dir)
    keys = credentials.s3_keys["gateway"]
    return os.environ | {
        "NATS_URL": f"nats://gateway:{credentials.nats_passwords['gateway']}@{urlsplit(urls['nats']).netloc}",
        "S3_ENDPOINT": urls["s3"],
        "S3_ACCESS_KEY": keys.access_key,
        "S3_SECRET_KEY": keys.secret_key,
        "GATEWAY_HOST": LOOPBACK,
        "GATEWAY_PORT": str(free_port()),
    }


def _cold_start(environment: dict[str, str]) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "deploy.cli.main", "gateway"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _is_alive(int(environment["GATEWAY_PORT"])):
            seconds = time.perf_counter() - started
            if process.poll() is not None or seconds > COLD_START_TIMEOUT:
                raise RuntimeError(f"The gateway did not answer within {seconds:.1f} s.")
            time.sleep(0.01)
        return time.perf_counter() - started
    finally:
        end(process)


def _is_alive(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--clients", type=int, default=20, help="concurrent clients (default: 20)")
    parser.add_argument("--requests", type=int, default=2000, help="jobs to submit (default: 2000)")
    parser.add_argument("--url", help="measure this gateway, whose queue has room for all jobs; no cold start")
    return parser


if __name__ == "__main__":
    main()
