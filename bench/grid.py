"""Checks the promises about bars, loops, levels and files on many random cases, with meters of its own.

`uv run python -m bench.grid [--rows bars,seam] [--divide 10]`

Seeds are fixed, so every run has the same cases. Prints a table in Markdown, then the failures with all that is needed
to repeat them, then a line of JSON. The exit code is 0 only if every target is met. The full run takes some minutes.

bars: the length of 300 files in frames. downbeat: where the starter's drums begin. level: loudness and true peak of the
decoded files. seam: the step across a loop's seam, and its onsets. tempo: clicks and drums at known tempos, after
fitting. stretched: pieces of the sampler that were played at another tempo, after fitting. stems: their sum minus the
mix. readers: foreign programs open all formats, and the recipe comes back. cost: processor time of production.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

# The service produces one take in one thread; before numpy and torch are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from bench import grid_files, grid_music
from bench.arguments import positive_int
from bench.engines import tell
from bench.grid_row import Row
from bench.report import machine

# The measurements and how many cases each has.
ROWS: dict[str, tuple[Callable[[int], list[Row]], int]] = {
    "bars": (grid_files.bars, 300),
    "downbeat": (grid_music.downbeat, 40),
    "level": (grid_files.level, 48),
    "seam": (grid_music.seam, 60),
    "tempo": (grid_music.tempo, 100),
    "stretched": (grid_music.stretched, 40),
    "stems": (grid_files.stems, 24),
    "readers": (grid_files.readers, 24),
    "cost": (grid_files.cost, 3),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    options = _parser().parse_args(arguments)
    rows: list[Row] = []
    for name in options.rows:
        measure, count = ROWS[name]
        began = time.monotonic()
        rows += measure(max(count // options.divide, 2))
        tell(f"{name}: {time.monotonic() - began:.0f} s")
    print(f"{machine()}\n\n| what | target | passed | worst |\n| --- | --- | --- | --- |")
    for row in rows:
        print(row.markdown())
    for row in rows:
        for failure in row.failures:
            print(f"\nFailed: {row.what}: {failure.found}: {failure.case}")
    found = {row.what: {"tried": row.tried, "passed": row.passed, "worst": row.worst} for row in rows}
    print(msgspec.json.encode({"machine": machine(), "rows": found}).decode(), flush=True)
    return int(not all(row.is_met for row in rows))


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(ROWS):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.grid", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=_names, default=list(ROWS), help="names, with commas (default: all)")
    parser.add_argument("--divide", type=positive_int, default=1, help="number of cases divided by this (default: 1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
