"""`musicgen jobs` and `musicgen cancel`."""

import json
import sys
from datetime import UTC, datetime

from musicgen_client import JobList, JobStatus, JobView
from rich.text import Text

from deploy.cli.finished_job import bars_text
from deploy.cli.gateway_client import GatewayTarget, gateway_client
from deploy.terminal import Terminal, plain
from shared.errors import MusicgenError
from shared.job_id import is_job_id

_COLOURS = {
    JobStatus.COMPLETED: "green",
    JobStatus.FAILED: "red",
    JobStatus.PROCESSING: "cyan",
    JobStatus.QUEUED: "yellow",
    JobStatus.CANCELLED: "dim",
}
# Columns of a terminal and their widths. The id comes first, because narrow terminals cut the ends of lines.
_WIDTHS = {"job": 16, "status": 10, "done": 4, "length": 8, "tempo": 7, "key": 8, "age": 4, "prompt": 0}


async def list_jobs(target: GatewayTarget, limit: int, status: str | None, *, as_json: bool = False) -> None:
    """Print the newest jobs: a table in a terminal, one per line with tabs in a pipe, or the API's objects as JSON.

    Raises:
        MusicgenError: if the gateway is unreachable or refuses the request.
    """
    async with gateway_client(target) as client:
        listing = await client.list_jobs(limit=limit, status=JobStatus(status) if status else None)
    if as_json:
        print(json.dumps([job.raw for job in listing.jobs], indent=2))
    elif sys.stdout.isatty():
        _print_table(listing)
    else:
        for job in listing.jobs:
            print("\t".join(map(plain, _row(job))))


def _print_table(listing: JobList) -> None:
    console = Terminal()
    lines = [_line({name: name for name in _WIDTHS}, "bold")]
    lines += [_line(_cells(job), _COLOURS[job.status]) for job in listing.jobs]
    for line in lines:
        line.truncate(max(console.width, _WIDTHS["job"] + 2), overflow="ellipsis")
        console.print(line)
    if listing.next_cursor:
        console.print(f"[dim]{len(listing.jobs)} of {listing.total}; use --limit to show more[/]")


async def cancel_job(target: GatewayTarget, job_id: str, keep: bool) -> None:
    """Cancel a job; with `keep`, store the audio that it has generated so far.

    Raises:
        MusicgenError: if there is no such job, or it is finished.
    """
    if not is_job_id(job_id):
        raise MusicgenError(f"{job_id!r} is not a job id. List the jobs with `musicgen jobs`.")
    async with gateway_client(target) as client:
        print(plain(await client.job(job_id).cancel(keep=keep)))


def _row(job: JobView) -> tuple[str, ...]:
    """The columns of a pipe. Further ones are added at the end, because programs count them."""
    return (
        job.job_id,
        job.status,
        f"{job.progress:.0%}",
        _number(job.duration),
        str(job.raw["created_at"]),
        job.prompt,
        _number(job.bpm),
        job.key or "",
        _number(job.bars),
    )


def _cells(job: JobView) -> dict[str, str]:
    bpm, seconds = _number(job.bpm), job.duration
    return {
        "job": job.job_id,
        "status": job.status,
        "done": f"{job.progress:.0%}",
        "length": bars_text(job.bars) or ("" if seconds is None else f"{round(seconds, 2):g} s"),
        "tempo": f"{bpm} BPM" if bpm else "",
        "key": job.key or "",
        "age": _age(job.created_at),
        "prompt": job.prompt,
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _age(created_at: datetime) -> str:
    """The time since then in its largest unit, such as 5m."""
    seconds = max(int((datetime.now(UTC) - created_at).total_seconds()), 0)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _line(cells: dict[str, str], style: str) -> Text:
    texts = [
        Text(plain(cells[name]).ljust(width), style if name == "status" else "") for name, width in _WIDTHS.items()
    ]
    return Text("  ").join(texts)
