"""Measures how many jobs a second a gateway accepts, with and without a disk write for each, and how many it reports.

`uv run python -m bench.durable [--clients 40] [--jobs 3000] [--polls 10000]`

nats-server writes to the disk (fsync) every five seconds, as the shipped nats.conf sets, every two minutes, as without
a setting, and before each acknowledgement (`always`). Gateway, nats-server and load generator share the machine.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from bench.arguments import positive_int
from bench.load import Call, LoadGenerator, Measured
from bench.parts import Part, running_servers
from bench.report import machine, milliseconds, percentile, show
from gateway.schemas import JobAccepted

WARM_UP = 200
BODY = b'{"prompt": "upbeat electronic music with synthesizer and drums", "duration": 8.0}'
# By `sync_interval`: the target for accepted jobs a second.
INTERVALS = {"5s": 1500, "2m": None, "always": 250}


class Rates(NamedTuple):
    """Accepted jobs and status requests with one `sync_interval`."""

    accepts: Measured
    polls: Measured


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    found = {}
    with LoadGenerator(options.clients) as load:
        for interval in INTERVALS:
            with TemporaryDirectory(dir=options.folder) as folder, _gateway(Path(folder), interval) as gateway:
                found[interval] = measure(load, gateway.url, options.jobs, options.polls)
    report(found, options.clients)


@contextmanager
def _gateway(folder: Path, interval: str) -> Iterator[Part]:
    with running_servers(folder, interval) as servers, servers.gateway() as gateway:
        yield gateway


def measure(load: LoadGenerator, url: str, jobs: int, polls: int) -> Rates:
    """Accept jobs, then ask for all of them in turn."""
    generate = Call("/api/v1/generate", BODY)
    load.run(url, [generate] * WARM_UP)
    accepts = load.run(url, [generate] * jobs)
    names = [msgspec.json.decode(answer, type=JobAccepted).job_id for answer in accepts.answers]
    paths = [f"/api/v1/status/{names[number % jobs]}" for number in range(polls)]
    return Rates(accepts, load.run(url, [Call(path) for path in paths]))


def report(found: dict[str, Rates], clients: int) -> None:
    """Print the table and the line of JSON."""
    rows, figures = list[tuple[str, str, str]](), dict[str, float]()
    for interval, (accepts, _) in found.items():
        points = [milliseconds(percentile(accepts.latencies, percent)) for percent in (50, 99)]
        target = INTERVALS[interval]
        shown = f"{accepts.rate:.0f} (p50/p99 {points[0]:.0f}/{points[1]:.0f} ms)"
        rows.append((f"accepted jobs a second, sync_interval {interval}", shown, f"≥ {target}" if target else ""))
        figures |= {f"accepts_per_s_{interval}": round(accepts.rate, 1), f"accept_p99_ms_{interval}": points[1]}
    polls = max(each.polls.rate for each in found.values())
    rows.append(("status requests a second", f"{polls:.0f}", "≥ 3000"))
    figures |= {"polls_per_s": round(polls, 1), "always_to_5s": round(cost(found), 3), "clients": clients}
    rows.append(("`always`, share of the default's rate", f"{figures['always_to_5s']:.2f}", ""))
    show(f"Gateway, {clients} clients", rows, figures | {"machine": machine()})


def cost(found: dict[str, Rates]) -> float:
    """The share of the default's accepted jobs that is left with `always`."""
    return found["always"].accepts.rate / found["5s"].accepts.rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.durable", description=__doc__)
    parser.add_argument("--clients", type=positive_int, default=40, help="concurrent clients (default: 40)")
    parser.add_argument("--jobs", type=positive_int, default=3000, help="jobs to accept (default: 3000)")
    parser.add_argument("--polls", type=positive_int, default=10_000, help="status requests (default: 10000)")
    parser.add_argument("--folder", help="where NATS stores: the disk to measure (default: that of temporary files)")
    return parser


if __name__ == "__main__":
    main()
