"""Measures the time that the pipeline adds to a job beyond the engine's, and the download.

`uv run python -m bench.pipeline [--jobs 20] [--model starter]`
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import aiohttp

from bench.report import machine, milliseconds, percentile, show
from bench.stack import running_stack

DURATION = 4.0
JOB_TIMEOUT = 300.0
ENDED = {"completed", "failed", "cancelled", "error"}


class JobTiming(NamedTuple):
    """Seconds of one job: the engine's, the overhead until `completed`, and the download."""

    generating: float
    added: float
    downloading: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    with TemporaryDirectory() as folder, running_stack(Path(folder), "--model", options.model) as url:
        samples = asyncio.run(measure(url, options.jobs))
    report(options.model, samples)


async def measure(url: str, jobs: int) -> list[JobTiming]:
    """Run one job to warm up, then `jobs` jobs in sequence."""
    async with aiohttp.ClientSession(url) as session, session.ws_connect("/ws") as events:
        samples = [await measure_job(session, events) for _ in range(jobs + 1)]
        return samples[1:]


async def measure_job(session: aiohttp.ClientSession, events: aiohttp.ClientWebSocketResponse) -> JobTiming:
    """Time one job from the POST to the `completed` event, and then to the file's last byte.

    Raises:
        TimeoutError: if the job takes longer than five minutes.
    """
    async with asyncio.timeout(JOB_TIMEOUT):
        started = time.perf_counter()
        job_id = await _generate(session)
        await events.send_json({"type": "subscribe", "job_id": job_id})
        await _until_completed(events, job_id)
        completed = time.perf_counter()
        await _download(session, job_id)
        downloaded = time.perf_counter()
        generating = await _generating(session, job_id)
        return JobTiming(generating, completed - started - generating, downloaded - completed)


def report(model: str, samples: Sequence[JobTiming]) -> None:
    """Print the table and the line of JSON."""
    added = [sample.added for sample in samples]
    figures = {
        "added_p50_ms": milliseconds(percentile(added, 50)),
        "added_p90_ms": milliseconds(percentile(added, 90)),
        "added_max_ms": milliseconds(max(added)),
        "download_p50_ms": milliseconds(percentile([sample.downloading for sample in samples], 50)),
        "jobs": len(samples),
        "machine": machine(),
    }
    rows = [
        ("added p50/p90/max, ms", _spread(added), "≤ 250"),
        ("download p50/p90/max, ms", _spread([sample.downloading for sample in samples]), ""),
        ("engine p50/p90/max, ms", _spread([sample.generating for sample in samples]), ""),
    ]
    show(f"Pipeline, {len(samples)} jobs of {DURATION:g} s with {model}", rows, figures)


def _spread(seconds: Sequence[float]) -> str:
    points = (percentile(seconds, 50), percentile(seconds, 90), max(seconds))
    return " / ".join(f"{point * 1000:.0f}" for point in points)


async def _generate(session: aiohttp.ClientSession) -> str:
    async with session.post("/api/v1/generate", json={"prompt": "slow piano", "duration": DURATION}) as response:
        response.raise_for_status()
        return str((await response.json())["job_id"])


async def _until_completed(events: aiohttp.ClientWebSocketResponse, job_id: str) -> None:
    while True:
        event: dict[str, Any] = await events.receive_json()
        if event.get("job_id") == job_id and event["type"] in ENDED:
            break
    if event["type"] != "completed":
        raise RuntimeError(f"The job did not complete: {event}")


async def _download(session: aiohttp.ClientSession, job_id: str) -> None:
    async with session.get(f"/api/v1/download/{job_id}") as response:
        response.raise_for_status()
        if not (await response.read()).startswith(b"RIFF"):
            raise RuntimeError(f"The file of {job_id} is not a WAV file.")


async def _generating(session: aiohttp.ClientSession, job_id: str) -> float:
    async with session.get(f"/api/v1/status/{job_id}") as response:
        response.raise_for_status()
        return float((await response.json())["timings"]["generating"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    parser.add_argument("--jobs", type=int, default=20, help="jobs to run (default: 20)")
    parser.add_argument("--model", default="starter", help="a model's name or a checkpoint folder (default: starter)")
    return parser


if __name__ == "__main__":
    main()
