"""Measures how events reach many WebSocket clients at once.

`uv run python -m bench.fanout [--clients 2000] [--events 5] [--seconds 10] [--jobs N]`

Each client follows one job, and each job has `--events` progress events a second; with fewer jobs than clients,
several clients follow the same one. An event holds the time of its publication, so a latency is that from NATS to the
client's socket. Publisher, clients, nats-server and gateway share the machine.
"""

import argparse
import asyncio
import re
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import nats
from msgspec.structs import replace
from nats.aio.client import Client

from bench.arguments import positive_float, positive_int
from bench.parts import Servers, running_servers
from bench.report import machine, milliseconds, percentile, show
from shared.bus import flush
from shared.messages import JobRecord, JobStatus, Recipe, encode, event_of, now
from shared.records import encode_record
from shared.subjects import event_subject, record_subject

# Events and connections begin in groups, so that the load is even.
TICK = 0.01
CONNECTING = 50
WARM_UP = 3.0
# Seconds for the last events to arrive, and for a client to answer.
SETTLING, PATIENCE = 2.0, 120.0
# Above any revision: a client gets only events with a higher number than the state that it was sent.
FIRST_SEQ = 1_000_000
_TIME = re.compile(rb'"message":"at (\d+\.\d{6})"')
_LONGEST = 40  # bytes of such a match
_HANDSHAKE = (
    "GET /ws?job_id={job} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Fanout(NamedTuple):
    """Seconds from publication to arrival of each event, how many were published, and bytes of memory per client."""

    latencies: list[float]
    due: float
    memory: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    _raise_file_limit(options.clients)
    with TemporaryDirectory() as folder, running_servers(Path(folder)) as servers:
        found = measure(servers, options.clients, options.jobs or options.clients, options.events, options.seconds)
    report(found, options.clients, options.jobs or options.clients, options.events)


def measure(servers: Servers, clients: int, jobs: int, events: float, seconds: float) -> Fanout:
    """Connect all clients, publish for `seconds`, and collect what arrived.

    Raises:
        RuntimeError: if nothing did.
    """
    limits = dict.fromkeys(("CONNECTIONS", "CONNECTIONS_PER_ADDRESS", "WEBSOCKETS_PER_CLIENT"), str(2 * clients + 100))
    with servers.gateway(**{f"GATEWAY_{name}": value for name, value in limits.items()}) as gateway:
        names = [f"gen_{number:012d}" for number in range(jobs)]
        asyncio.run(_with_client(servers, _plant, names))
        before = gateway.resident
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=_follow, args=(theirs, gateway.url, names, clients))
        process.start()
        try:
            _receive(ours)  # all are connected
            start = time.time() + WARM_UP
            published: list[float] = []
            asyncio.run(_with_client(servers, _publish, published, names, events, WARM_UP + seconds))
            memory = (gateway.resident - before) / clients
            time.sleep(SETTLING)
            ours.send((start, start + seconds))
            latencies = _receive(ours)
        finally:
            process.terminate()
            process.join()
    if not latencies:
        raise RuntimeError("No event of the measured seconds arrived in time: the machine is too busy.")
    due = sum(start <= each < start + seconds for each in published) * clients / jobs
    return Fanout(latencies, due, memory)


def report(found: Fanout, clients: int, jobs: int, events: float) -> None:
    """Print the table and the line of JSON."""
    share = len(found.latencies) / found.due
    points = {f"p{percent}_ms": milliseconds(percentile(found.latencies, percent)) for percent in (50, 90, 99)}
    figures = points | {"arrived": round(share, 4), "bytes_per_client": round(found.memory)}
    rows = [
        ("publication to arrival p50/p90/p99, ms", " / ".join(f"{each:.0f}" for each in points.values()), "p99 ≤ 150"),
        ("events that arrived, of those due", f"{share:.1%}", "100%"),
        ("memory of the gateway per client, kB", f"{found.memory / 1000:.1f}", "≤ 60"),
    ]
    workload = {"clients": clients, "jobs": jobs, "events_per_s": events, "machine": machine()}
    show(f"{clients} WebSocket clients of {jobs} jobs, {events:g} events a second each", rows, figures | workload)


async def _with_client(servers: Servers, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    client = await nats.connect(servers.nats_urls["operator"])
    try:
        await work(client, *arguments)
        await flush(client)
    finally:
        await client.close()


async def _plant(client: Client, names: Sequence[str]) -> None:
    for name in names:
        await client.publish(record_subject(name), encode_record(running(name)))


async def _publish(client: Client, published: list[float], names: Sequence[str], events: float, seconds: float) -> None:
    """Publish evenly, in each tick the next jobs' events, and note when."""
    template, began, sent = replace(event_of(running("JOB"), FIRST_SEQ, "progress"), message="at TIME"), time.time(), 0
    frame = encode(template)
    while (passed := time.time() - began) < seconds:
        due = round(passed * events * len(names))
        for number in range(sent, due):
            name = names[number % len(names)]
            published.append(time.time())
            data = frame.replace(b"JOB", name.encode()).replace(b"TIME", f"{published[-1]:.6f}".encode())
            numbered = data.replace(str(FIRST_SEQ).encode(), str(FIRST_SEQ + number).encode())
            await client.publish(event_subject(name, "progress"), numbered)
        sent = due
        await asyncio.sleep(TICK)


def running(job_id: str) -> JobRecord:
    """The record of a job that a worker has."""
    moment = now()
    return JobRecord(
        job_id=job_id,
        recipe=Recipe(model="starter", prompt="upbeat house", duration=8.0),
        created_at=moment,
        updated_at=moment,
        started_at=moment,
        status=JobStatus.PROCESSING,
        progress=0.5,
        message="Generating",
        attempts=1,
        claims=1,
        worker_id="worker-1",
    )


def _follow(pipe: Connection, url: str, names: Sequence[str], clients: int) -> None:
    """The process of the clients: connect all, tell so, and answer an interval with the latencies in it."""
    _raise_file_limit(clients)
    asyncio.run(_follow_all(pipe, url, names, clients))


async def _follow_all(pipe: Connection, url: str, names: Sequence[str], clients: int) -> None:
    loop, host = asyncio.get_running_loop(), urlsplit(url).netloc
    arrivals: list[tuple[float, float]] = []
    for first in range(0, clients, CONNECTING):
        group = []
        for number in range(first, min(first + CONNECTING, clients)):
            address, _, port = host.partition(":")
            connecting = loop.create_connection(partial(_Follower, arrivals), address, int(port))
            transport, follower = await connecting
            transport.write(_HANDSHAKE.format(job=names[number % len(names)], host=host).encode())
            group.append(follower.answered)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*group)
    pipe.send(None)
    start, end = await asyncio.to_thread(pipe.recv)
    pipe.send([arrived - sent for sent, arrived in arrivals if start <= sent < end])


class _Follower(asyncio.Protocol):
    """A client that only reads: it notes when each event was published and when it arrived."""

    def __init__(self, arrivals: list[tuple[float, float]]) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals = arrivals
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        arrived = time.time()
        if not self.answered.done():  # the handshake's answer, then the state of the job
            self._rest += data
            if b'"processing"' in self._rest:
                self.answered.set_result(None)
                self._rest = b""
            return
        times, self._rest = take_times(self._rest + data)
        self._arrivals.extend((sent, arrived) for sent in times)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(ConnectionError(f"The gateway closed a connection: {self._rest!r}"))


def take_times(data: bytes) -> tuple[list[float], bytes]:
    """The times of publication in a piece of a stream of frames, and what may be the beginning of the next one."""
    found = list(_TIME.finditer(data))
    rest = data[found[-1].end() :] if found else data
    return [float(each[1]) for each in found], rest[-_LONGEST:]


def _receive(pipe: Connection) -> Any:
    if not pipe.poll(PATIENCE):
        raise RuntimeError("The clients did not answer; their process wrote why.")
    return pipe.recv()


def _raise_file_limit(clients: int) -> None:
    """Each connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(clients + 500, hard)), hard))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description=__doc__)
    parser.add_argument("--clients", type=positive_int, default=2000, help="WebSockets (default: 2000)")
    parser.add_argument("--jobs", type=positive_int, help="jobs that they follow (default: one for each)")
    parser.add_argument("--events", type=positive_float, default=5.0, help="of each job, a second (default: 5)")
    parser.add_argument("--seconds", type=positive_float, default=10.0, help="measured, after 3 s (default: 10)")
    return parser


if __name__ == "__main__":
    main()
