"""Measures the web page in Chromium: first paint, transfer, memory, long tasks while music is made, and scrolling.

`uv run python -m bench.studio [--takes 500]`
"""

import argparse
import json
import shutil
import statistics
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from bench.report import machine, percentile, show
from bench.stack import running_stack

WINDOW: Any = {"viewport": {"width": 1280, "height": 860}}
LOADS = 5
# Takes of one request, as many as the API makes at once.
TAKES = 5
GENERATED = {"prompt": "house loop with piano", "bars": 8, "bpm": 124, "variations": TAKES}
SHORT = {"duration": 1, "variations": TAKES}
PATIENCE = 600.0

# Scrolls by 30 pixels a frame for ten seconds, or to the end; returns the milliseconds between the frames.
SCROLL = """() => new Promise((resolve) => {
    const times = [];
    const step = (now) => {
        times.push(now);
        scrollBy(0, 30);
        const { scrollHeight } = document.documentElement;
        const isDone = now - times[0] > 10000 || scrollY + innerHeight >= scrollHeight - 1;
        if (isDone) resolve(times.slice(1).map((time, index) => time - times[index]));
        else requestAnimationFrame(step);
    };
    scrollTo(0, 0);
    requestAnimationFrame(step);
})"""
# A page as high that has nothing but lines of text.
PLAIN = "<body style='margin:0'>" + "<p style='height:100px;margin:0'>plain</p>" * 1200
WATCH_LONG_TASKS = """() => {
    globalThis.longTasks = [];
    new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((each) => each.duration)))
        .observe({ type: "longtask" });
}"""
FIRST_PAINT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
    const paint = list.getEntries().find((each) => each.name === "first-contentful-paint");
    if (paint) resolve(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""
TRANSFERRED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((each) => !each.name.includes("/api/"))
    .reduce((sum, each) => sum + each.transferSize, 0)"""


class Memory(NamedTuple):
    """MiB: what scripts keep after a garbage collection, and all that the page's process has for itself."""

    scripts: float
    process: float


class Frames(NamedTuple):
    """Frames a second, and the longest gaps between two frames in milliseconds."""

    rate: float
    p99: float
    longest: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    with (
        TemporaryDirectory() as folder,
        running_stack(Path(folder)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        report(measure(browser, url, options.takes))
        browser.close()


def measure(browser: Browser, url: str, takes: int) -> dict[str, Any]:
    """All figures, each with its unit in its name."""
    loads = [measure_load(browser, url) for _ in range(LOADS)]
    page = _open(browser, url)
    empty = measure_memory(browser, page)
    generating, long_tasks = measure_generation(page, url)
    make_takes(page, url, 100 - TAKES)
    hundred = measure_memory(browser, page)
    make_takes(page, url, takes - 100)
    started = time.perf_counter()
    load_all(page, takes)
    listed = time.perf_counter() - started
    frames = measure_frames(page)
    all_takes = measure_memory(browser, page)
    page.set_content(PLAIN)
    plain = measure_frames(page)
    return {
        "first_paint_ms": round(statistics.median(paint for paint, _ in loads)),
        "transferred_kb": round(loads[0][1] / 1000, 1),
        "scripts_mib": [empty.scripts, hundred.scripts, all_takes.scripts],
        "process_mib": [empty.process, hundred.process, all_takes.process],
        "generating_s": round(generating, 1),
        "long_tasks_ms": [round(each) for each in long_tasks],
        "takes": takes,
        "listed_s": round(listed, 1),
        "frames": frames._asdict(),
        "plain_frames": plain._asdict(),
        "machine": machine(),
    }


def measure_load(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds until the first contentful paint without a cache, and bytes of the page, headers included."""
    page = _open(browser, url)
    paint, transferred = page.evaluate(FIRST_PAINT), page.evaluate(TRANSFERRED)
    page.context.close()
    return paint, transferred


def measure_generation(page: Page, url: str) -> tuple[float, list[float]]:
    """Seconds of making several takes that the page shows, and the tasks of more than 50 ms in that time."""
    page.evaluate(WATCH_LONG_TASKS)
    started = time.perf_counter()
    _post(url, GENERATED)
    _until_completed(page, TAKES)
    return time.perf_counter() - started, page.evaluate("longTasks")


def make_takes(page: Page, url: str, count: int) -> None:
    """Make takes of a second while the page shows them, with another prompt for each few."""
    before = _completed(page)
    for first in range(0, count, TAKES):
        _post(url, SHORT | {"prompt": f"piano number {before + first}", "variations": min(TAKES, count - first)})
    deadline = time.monotonic() + PATIENCE
    while _listed(url) < before + count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"The takes were not made within {PATIENCE:g} s.")
        page.wait_for_timeout(500)


def load_all(page: Page, takes: int) -> None:
    """Scroll to the end of the list until all pages of it are there."""
    while page.locator(".card").count() < takes:
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(100)
    page.wait_for_timeout(1000)


def measure_frames(page: Page) -> Frames:
    """Scroll through the page."""
    gaps = page.evaluate(SCROLL)
    return Frames(round(1000 * len(gaps) / sum(gaps), 1), round(percentile(gaps, 99), 1), round(max(gaps), 1))


def measure_memory(browser: Browser, page: Page) -> Memory:
    """Memory after a garbage collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    scripts = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [psutil.Process(each["id"]) for each in processes if each["type"] == "renderer"]
    own = max(each.memory_full_info().uss for each in renderers)
    return Memory(round(scripts / 2**20, 1), round(own / 2**20, 1))


def report(figures: dict[str, Any]) -> None:
    """Print the table and the line of JSON."""
    frames, plain = figures["frames"], figures["plain_frames"]
    spread = "{rate} a second, 99% within {p99} ms, longest {longest} ms"
    tasks = figures["long_tasks_ms"]
    rows = [
        ("first paint on loopback, no cache", f"{figures['first_paint_ms']} ms", "≤ 1000 ms"),
        ("transferred, compressed", f"{figures['transferred_kb']} kB", "≤ 300 kB"),
        ("memory of scripts: no takes, 100, all", _mib(figures["scripts_mib"]), ""),
        ("memory of the page's process: no takes, 100, all", _mib(figures["process_mib"]), ""),
        ("long tasks while five takes are made", f"{sum(tasks)} ms in {figures['generating_s']} s", ""),
        (f"until all {figures['takes']} takes are listed", f"{figures['listed_s']} s", ""),
        (f"frames while {figures['takes']} takes scroll", spread.format(**frames), "60 a second"),
        ("frames while plain text scrolls", spread.format(**plain), ""),
    ]
    show("The studio in Chromium, 1280 × 860", rows, figures)


def _mib(values: list[float]) -> str:
    return ", ".join(f"{each:.0f}" for each in values) + " MiB"


def _open(browser: Browser, url: str) -> Page:
    page = browser.new_context(**WINDOW).new_page()
    page.goto(url)
    page.get_by_role("button", name="Generate", exact=True).wait_for()
    return page


def _completed(page: Page) -> int:
    return page.locator(".card.completed").count()


def _until_completed(page: Page, count: int) -> None:
    page.wait_for_function(
        "count => document.querySelectorAll('.card.completed').length >= count", arg=count, timeout=1000 * PATIENCE
    )


def _listed(url: str) -> int:
    with urllib.request.urlopen(f"{url}/api/v1/jobs?status=completed&limit=1") as answer:
        return int(json.load(answer)["total"])


def _post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{url}/api/v1/generate", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request):
        pass


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.studio", description=__doc__)
    parser.add_argument("--takes", type=int, default=500, help="takes in the list, at least 100 (default: 500)")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    parser.add_argument("--chromium", default=found, help="the browser's program")
    return parser


if __name__ == "__main__":
    main()
