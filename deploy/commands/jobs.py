"""`musicgen jobs` and `musicgen cancel`."""

from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.commands.client import answer, connected

_COLOURS = {"completed": "green", "failed": "red", "processing": "cyan", "queued": "yellow", "cancelled": "dim"}


async def show_jobs(url: str | None, limit: int, status: str | None) -> None:
    """A table of the newest jobs.

    Raises:
        MusicgenError: if the gateway refuses or is not there.
    """
    query: dict[str, str] = {"limit": str(limit)} | ({"status": status} if status else {})
    async with connected(url) as session, session.get("/api/v1/jobs", params=query) as response:
        listing = await answer(response)
    console = Console(highlight=False)
    console.print(_table(listing["jobs"]))
    if listing["next_cursor"]:
        console.print(f"[dim]{len(listing['jobs'])} of {listing['total']}; --limit shows more[/]")


async def cancel(url: str | None, job_id: str, keep: bool) -> None:
    """Cancel a job; with `keep`, what a running one has made is stored and can be downloaded.

    Raises:
        MusicgenError: if there is none, or it is finished.
    """
    query = {"keep": "1"} if keep else {}
    async with connected(url) as session, session.delete(f"/api/v1/jobs/{job_id}", params=query) as response:
        print((await answer(response))["message"])


def _table(jobs: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("job", "status", "progress", "seconds", "created", "prompt"):
        table.add_column(name, no_wrap=name != "prompt", overflow="ellipsis")
    for job in jobs:
        status = job["status"]
        table.add_row(
            job["job_id"],
            f"[{_COLOURS[status]}]{status}[/]",
            f"{job['progress']:.0%}",
            f"{job['duration']:g}",
            job["created_at"],
            job["prompt"].replace("[", r"\["),
        )
    return table
