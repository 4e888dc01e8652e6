"""Reports figures: percentiles, a table, and one line of JSON."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that `percent` of 100 values do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def milliseconds(seconds: float) -> float:
    """Convert to milliseconds, rounded to two decimals."""
    return round(seconds * 1000, 2)


def machine() -> str:
    """Describe the machine."""
    return f"{os.cpu_count()} cores {_processor()}, {platform.system()}, Python {platform.python_version()}"


def show(
    title: str,
    rows: Sequence[tuple[str, ...]],
    figures: Mapping[str, object],
    columns: tuple[str, ...] = ("what", "measured", "target"),
) -> None:
    """Print a table of the rows, then the figures as one line of JSON."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    print(msgspec.json.encode(figures).decode(), flush=True)


def _processor() -> str:
    """The processor's name; on Linux only /proc/cpuinfo has it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
