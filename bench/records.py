"""Measures what the number of records costs a gateway: its start, its memory, and its answers.

`uv run python -m bench.records [--records 1000,200000] [--clients 20] [--requests 500]`

For each number, NATS gets this many finished jobs of the starter (some 3 KB each). A gateway without an index starts
(cold), answers, and starts again with the index that it kept (warm).
"""

import argparse
import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import nats
from nats.aio.client import Client

from bench.arguments import positive_int, positive_ints
from bench.load import Call, LoadGenerator
from bench.parts import Servers, running_servers
from bench.report import machine, milliseconds, percentile, show
from shared.bus import flush
from shared.files import PEAKS, Audio, Output, audio_key, output_key
from shared.messages import JobRecord, JobStatus, Recipe, Timings, now
from shared.music import Instrument, Measured, Music, SectionStart, Understood
from shared.records import encode_record
from shared.subjects import record_subject

WARM_UP = 100
BODY = b'{"prompt": "upbeat electronic music with synthesizer and drums", "duration": 8.0}'
# Unacknowledged writes until the next flush.
WRITES = 500
MEGABYTE = 1_000_000


class Row(NamedTuple):
    """The figures for one number of records: seconds of starts, bytes of memory, and latencies in seconds."""

    records: int
    cold: float
    warm: float
    resident: int
    resident_warm: int
    accept: list[float]
    status: list[float]
    listing: list[float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    rows = []
    with LoadGenerator(options.clients) as load:
        for count in options.records:
            with TemporaryDirectory() as folder, running_servers(Path(folder)) as servers:
                rows.append(measure(servers, load, count, options.requests))
    report(rows)


def measure(servers: Servers, load: LoadGenerator, count: int, requests: int) -> Row:
    """Fill the bucket with `count` records, and start a gateway on it twice."""
    jobs = asyncio.run(_fill(servers.nats_urls["operator"], count))
    index = {"GATEWAY_INDEX_DIR": str(servers.folder / "index")}
    with servers.gateway(**index) as gateway:
        cold, resident = gateway.started, gateway.resident
        asked = random.Random(1).choices(jobs, k=requests)
        polls = [Call(f"/api/v1/status/{job}") for job in asked]
        load.run(gateway.url, [Call("/api/v1/generate", BODY)] * WARM_UP)
        status = load.run(gateway.url, polls)
        listing = load.run(gateway.url, [Call("/api/v1/jobs?limit=50&status=completed")] * requests)
        accept = load.run(gateway.url, [Call("/api/v1/generate", BODY)] * requests)
    with servers.gateway(**index) as gateway:
        latencies = (each.latencies for each in (accept, status, listing))
        return Row(count, cold, gateway.started, resident, gateway.resident, *latencies)


def report(rows: Sequence[Row]) -> None:
    """Print the table and the line of JSON."""
    table = [
        ("start with a kept index, s", _each(rows, lambda row: f"{row.warm:.2f}"), "≤ 5"),
        ("start without one, s", _each(rows, lambda row: f"{row.cold:.2f}"), ""),
        ("memory after a start without index, MB", _each(rows, lambda row: f"{row.resident / MEGABYTE:.0f}"), "flat"),
        ("memory after a start with it, MB", _each(rows, lambda row: f"{row.resident_warm / MEGABYTE:.0f}"), "flat"),
        ("accept p50/p99, ms", _each(rows, lambda row: _spread(row.accept)), "flat"),
        ("status p50/p99, ms", _each(rows, lambda row: _spread(row.status)), "flat"),
        ("list of 50 p50/p99, ms", _each(rows, lambda row: _spread(row.listing)), "flat"),
    ]
    counts = " → ".join(f"{row.records:,}" for row in rows)
    show(f"Gateway with {counts} records", table, {"rows": [_figures(row) for row in rows], "machine": machine()})


def _figures(row: Row) -> dict[str, float]:
    figures = {"records": row.records, "cold_s": round(row.cold, 3), "warm_s": round(row.warm, 3)}
    memory = {"resident_mb": row.resident / MEGABYTE, "resident_warm_mb": row.resident_warm / MEGABYTE}
    figures |= {name: round(value, 1) for name, value in memory.items()}
    for name, seconds in (("accept", row.accept), ("status", row.status), ("list", row.listing)):
        figures |= {f"{name}_p{percent}_ms": milliseconds(percentile(seconds, percent)) for percent in (50, 99)}
    return figures


def _each(rows: Sequence[Row], text: Callable[[Row], str]) -> str:
    return " → ".join(map(text, rows))


def _spread(seconds: Sequence[float]) -> str:
    return "/".join(f"{percentile(seconds, percent) * 1000:.1f}" for percent in (50, 99))


async def _fill(url: str, count: int) -> list[str]:
    client = await nats.connect(url)
    try:
        return await fill(client, count)
    finally:
        await client.close()


async def fill(client: Client, count: int) -> list[str]:
    """Write `count` finished jobs, the oldest first, in a random order of their ids; returns these."""
    chance = random.Random(0)
    jobs = [f"gen_{number:012x}" for number in chance.sample(range(16**12), count)]
    for number, job_id in enumerate(jobs):
        record = finished(job_id, number, age=timedelta(seconds=count - number))
        await client.publish(record_subject(job_id), encode_record(record))
        if number % WRITES == 0:
            await flush(client)
    await flush(client)
    return jobs


def finished(job_id: str, seed: int, age: timedelta) -> JobRecord:
    """A finished job of eight bars with the usual fields."""
    moment = now() - age
    times = (2.0 * bar for bar in range(8))
    streams = ("chords", "bass", "melody", "drums")
    return JobRecord(
        job_id=job_id,
        recipe=Recipe(model="starter", prompt=f"upbeat house with piano, number {seed}", duration=16.0, seed=seed),
        created_at=moment,
        updated_at=moment,
        started_at=moment,
        completed_at=moment,
        status=JobStatus.COMPLETED,
        progress=1.0,
        message="Generation completed",
        attempts=1,
        claims=1,
        worker_id="worker-1-abcdef",
        fingerprint="0123456789abcdef" * 4,
        traceparent=f"00-{seed:032x}-{seed:016x}-01",
        checkpoint="0123456789abcdef",
        audio=Audio(
            key=audio_key(job_id),
            size=3_072_044,
            duration=16.0,
            sample_rate=48_000,
            channels=2,
            sha256=f"{seed:064x}",
            s3_etag=f"{seed:032x}",
        ),
        timings=Timings(generating=0.5, encoding=0.1, uploading=0.1),
        extras=tuple(
            Output(kind="peaks", name=name, key=output_key(job_id, name), size=9000, sha256=f"{seed:064x}")
            for name in (PEAKS, "waveform.svg", "waveform.png")
        ),
        music=Music(
            bpm=120.0,
            key="A minor",
            meter="4/4",
            bars=8,
            sections=(SectionStart(name="verse", bar=1, start=0.0), SectionStart(name="chorus", bar=5, start=8.0)),
            instruments=tuple(Instrument(name=name, stream=name, program=0, channel=1) for name in streams),
            understood=(Understood("upbeat", "fast"), Understood("house", "house"), Understood("piano", "piano")),
            ignored=(),
        ),
        measured=Measured(bpm=120.0, bpm_confidence=1.0, lufs=-14.0, true_peak_dbtp=-1.0, downbeats=tuple(times)),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.records", description=__doc__)
    parser.add_argument("--records", type=positive_ints, default=[1000, 200_000], help="default: 1000,200000")
    parser.add_argument("--clients", type=positive_int, default=20, help="concurrent clients (default: 20)")
    parser.add_argument("--requests", type=positive_int, default=500, help="of each kind (default: 500)")
    return parser


if __name__ == "__main__":
    main()
