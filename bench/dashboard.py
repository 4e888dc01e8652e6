"""Loads `musicgen up`, watches it with a real Prometheus, and draws the dashboard from Prometheus's answers.

`uv run python -m bench.dashboard [--seconds 150] [--output docs/images/dashboard.png]`. Needs `prometheus`, a
package of Debian and Ubuntu.
"""

import argparse
import asyncio
import json
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from bench.dashboard_picture import Panel, Series, draw
from bench.stack import end, free_port, running_stack

DASHBOARDS = Path(__file__).parents[1] / "deploy" / "dashboards"
# Seconds between two scrapes, and the interval that Grafana would choose for rates.
SCRAPE_INTERVAL = 2
RATE_INTERVAL = f"{10 * SCRAPE_INTERVAL}s"
# Values of one series in the picture.
POINTS = 180
# Seconds between two jobs; in the middle of the run many arrive at once.
JOB_INTERVAL = 3.0
BURST = 40
POLLERS = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and draw."""
    options = _parser().parse_args(arguments)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        with running_stack(folder / "data", "--model", options.model) as url, _prometheus(folder) as prometheus:
            began = time.time()
            asyncio.run(_load(url, options.seconds))
            panels = asyncio.run(_answers(prometheus, began, time.time()))
    draw(panels, options.output)


@contextmanager
def _prometheus(folder: Path) -> Iterator[str]:
    """Run a Prometheus that scrapes the stack in `folder`; yields its URL."""
    url = f"127.0.0.1:{free_port()}"
    configuration = folder / "prometheus.json"
    configuration.write_text(json.dumps(_configuration(json.loads((folder / "data" / "run.json").read_text()))))
    command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'series'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={url}"], stdout=log, stderr=log)
    try:
        yield f"http://{url}"
    finally:
        end(process)


def _configuration(running: list[dict[str, Any]]) -> dict[str, Any]:
    """The scrape configuration for the processes that `run.json` lists."""

    def job(role: str) -> dict[str, Any]:
        urls = [each["urls"][0] for each in running if each["role"] == role]
        targets = [url.removeprefix("http://").removesuffix("/metrics") for url in urls]
        return {"job_name": f"musicgen-{role}", "static_configs": [{"targets": targets}]}

    interval = f"{SCRAPE_INTERVAL}s"
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [str(DASHBOARDS / "alerts.yml")],
        "scrape_configs": [job("gateway"), job("worker")],
    }


async def _load(url: str, seconds: float) -> None:
    """Send jobs and follow them as clients do: by polling and by WebSocket."""
    async with aiohttp.ClientSession(url) as session:
        known: list[str] = []
        tasks = [asyncio.create_task(_poll(session, known)) for _ in range(POLLERS)]
        tasks += [asyncio.create_task(_follow(session, known)) for _ in range(POLLERS)]
        try:
            deadline, burst_at = time.monotonic() + seconds, time.monotonic() + seconds / 3
            while time.monotonic() < deadline:
                is_burst = time.monotonic() >= burst_at
                for _ in range(BURST if is_burst else 1):
                    known.append(await _generate(session))
                burst_at = deadline if is_burst else burst_at
                await asyncio.sleep(JOB_INTERVAL)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _generate(session: aiohttp.ClientSession) -> str:
    # A tenth of the requests repeat an earlier one, so that the cache answers them.
    seed = 0 if random.random() < 0.1 else random.randrange(2**32)
    body = {"prompt": "warm house with piano", "duration": random.choice((4.0, 8.0, 16.0)), "seed": seed}
    async with session.post("/api/v1/generate", json=body) as response:
        response.raise_for_status()
        return str((await response.json())["job_id"])


async def _poll(session: aiohttp.ClientSession, known: list[str]) -> None:
    while True:
        await asyncio.sleep(random.uniform(0.2, 0.6))
        for job_id in known[-1:]:
            async with session.get(f"/api/v1/status/{job_id}") as response:
                response.raise_for_status()


async def _follow(session: aiohttp.ClientSession, known: list[str]) -> None:
    await asyncio.sleep(random.uniform(0, 30))
    async with session.ws_connect("/ws") as socket:
        while True:
            for job_id in known[-1:]:
                await socket.send_json({"type": "subscribe", "job_id": job_id})
            await asyncio.sleep(JOB_INTERVAL)


async def _answers(prometheus: str, began: float, ended: float) -> list[Panel]:
    """The panels of the dashboard with what Prometheus knows of the run."""
    dashboard = json.loads((DASHBOARDS / "musicgen.json").read_text())
    async with aiohttp.ClientSession(prometheus) as session:
        return [
            Panel(
                title=panel["title"],
                is_number=panel["type"] == "stat",
                unit=panel["fieldConfig"]["defaults"]["unit"],
                place=panel["gridPos"],
                series=[each for target in panel["targets"] for each in await _series(session, target, began, ended)],
            )
            for panel in dashboard["panels"]
        ]


async def _series(session: aiohttp.ClientSession, target: dict[str, str], began: float, ended: float) -> list[Series]:
    query = target["expr"].replace("$__rate_interval", RATE_INTERVAL).replace("$model", ".*")
    window = {"start": f"{began:.3f}", "end": f"{ended:.3f}", "step": f"{(ended - began) / POINTS:.3f}"}
    async with session.get("/api/v1/query_range", params={"query": query, **window}) as response:
        response.raise_for_status()
        found = (await response.json())["data"]["result"]
    return [
        Series(
            _legend(target["legendFormat"], each["metric"]),
            [((float(moment) - began) / (ended - began), float(value)) for moment, value in each["values"]],
        )
        for each in found
    ]


def _legend(pattern: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        pattern = pattern.replace(f"{{{{{name}}}}}", value)
    return pattern


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard", description=__doc__)
    parser.add_argument("--seconds", type=float, default=150.0, help="length of the run (default: 150)")
    parser.add_argument("--model", default="starter", help="a model's name or a checkpoint folder (default: starter)")
    default = DASHBOARDS.parents[1] / "docs" / "images" / "dashboard.png"
    parser.add_argument("--output", type=Path, default=default, help="the picture (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
