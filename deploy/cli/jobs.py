"""`musicgen jobs` and `musicgen cancel`."""

from typing import Any

from rich.text import Text

from deploy.cli.gateway_client import REQUEST_TIMEOUT, GatewayTarget, gateway_session, read_json
from deploy.terminal import Terminal, plain
from shared.errors import MusicgenError
from shared.job_id import is_job_id

_COLOURS = {"completed": "green", "failed": "red", "processing": "cyan", "queued": "yellow", "cancelled": "dim"}
# Column widths before the prompt. The id comes first, because narrow terminals cut the ends of lines.
_WIDTHS = (16, 10, 4, 7, 24)
_HEADINGS = ("job", "status", "done", "seconds", "created", "prompt")


async def list_jobs(target: GatewayTarget, limit: int, status: str | None) -> None:
    """Print the newest jobs, one per line: aligned in a terminal, tab-separated in a pipe.

    Raises:
        MusicgenError: if the gateway is unreachable or refuses the request.
    """
    query: dict[str, str] = {"limit": str(limit)} | ({"status": status} if status else {})
    async with (
        gateway_session(target) as session,
        session.get("/api/v1/jobs", params=query, timeout=REQUEST_TIMEOUT) as response,
    ):
        listing = await read_json(response, "jobs", "total", "next_cursor")
    console = Terminal()
    rows = [_row(job) for job in listing["jobs"]]
    if not console.file.isatty():
        for row in rows:
            print("\t".join(row))
        return
    for line in (_line(_HEADINGS, "bold"), *(_line(row, _COLOURS[row[1]]) for row in rows)):
        line.truncate(max(console.width, _WIDTHS[0] + 2), overflow="ellipsis")
        console.print(line)
    if listing["next_cursor"]:
        console.print(f"[dim]{len(rows)} of {listing['total']}; use --limit to show more[/]")


async def cancel_job(target: GatewayTarget, job_id: str, keep: bool) -> None:
    """Cancel a job; with `keep`, store the audio that it has generated so far.

    Raises:
        MusicgenError: if there is no such job, or it is finished.
    """
    if not is_job_id(job_id):
        raise MusicgenError(f"{job_id!r} is not a job id. List the jobs with `musicgen jobs`.")
    query, path = {"keep": "1"} if keep else {}, f"/api/v1/jobs/{job_id}"
    async with (
        gateway_session(target) as session,
        session.delete(path, params=query, timeout=REQUEST_TIMEOUT) as response,
    ):
        print(plain((await read_json(response, "message"))["message"]))


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    cells = (
        job["job_id"],
        job["status"],
        f"{job['progress']:.0%}",
        f"{job['duration']:g}",
        job["created_at"],
        job["prompt"],
    )
    return tuple(map(plain, cells))


def _line(cells: tuple[str, ...], style: str) -> Text:
    job_id, status, *rest = (cell.ljust(width) for cell, width in zip(cells, (*_WIDTHS, 0), strict=True))
    return Text.assemble(job_id, "  ", (status, style), "  ", "  ".join(rest))
