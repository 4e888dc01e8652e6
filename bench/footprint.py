"""Measures how long the decode engine takes to load, and how much memory it keeps.

`uv run python -m bench.footprint [--model small | --checkpoint FOLDER] [--seconds 4]`

Weights are random and of the real size, except for those of the text encoder, unless --checkpoint is given. In a
process that has already imported PyTorch and the engine:

load_s: seconds to load the model; load_cpu_s: processor time of that.
loaded_mb, generated_mb: resident memory after loading, and after one piece of --seconds, beyond imports_mb, which it
    was before. A megabyte is a million bytes.
generated_private_mb: the part of generated_mb that is no part of a file, and so stays when memory is short.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from bench.arguments import positive_float, positive_int
from bench.contestant_process import ContestantError, ContestantProcess
from bench.contestants import Batching
from bench.decode import open_checkpoint
from bench.report import machine, show
from bench.sizes import SIZES
from shared.errors import ModelUnavailableError
from shared.models import STARTER
from worker.engine.host.launch import ENGINE_ENVIRONMENT
from worker.engine.interface import Tuning

# Of small on two cores.
MOST_SECONDS, MOST_MEGABYTES = 3, 750


class Footprint:
    """The decode engine in a process of its own, with the figures of its loading."""

    def __init__(self, reference: str, slots: int, seconds: float) -> None:
        self._before = psutil.Process().memory_info()
        started, processor = time.perf_counter(), time.process_time()
        self._engine = Batching(reference, "cpu", seconds, slots, Tuning())
        self.figures = {
            "load_s": round(time.perf_counter() - started, 2),
            "load_cpu_s": round(time.process_time() - processor, 2),
            "imports_mb": _megabytes(self._before.rss),
            "loaded_mb": _megabytes(psutil.Process().memory_info().rss - self._before.rss),
        }

    def generate(self, seconds: float) -> dict[str, float]:
        """Make a piece; returns all figures."""
        self._engine.run(["upbeat electronic music with synthesizer"], seconds)
        now, before = psutil.Process().memory_info(), self._before
        self.figures["generated_mb"] = _megabytes(now.rss - before.rss)
        self.figures["generated_private_mb"] = _megabytes(now.rss - now.shared - before.rss + before.shared)
        return self.figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.footprint", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=(*SIZES, STARTER), default="small", help="(default: small)")
    parser.add_argument("--checkpoint", type=Path, help="a folder in audiocraft's format, in place of --model")
    parser.add_argument("--seconds", type=positive_float, default=4.0, help="length of the piece (default: 4)")
    parser.add_argument("--slots", type=positive_int, default=8, help="of the engine (default: 8)")
    options = parser.parse_args(arguments)
    try:
        with open_checkpoint(options) as reference:
            figures = _measure(reference, options.slots, options.seconds)
    except ModelUnavailableError as error:
        parser.error(f"{error} {error.remedy}")
    except ContestantError as error:
        parser.error(str(error))
    model = str(options.checkpoint or options.model)
    rows = [(name, f"{value:g}", _target(name)) for name, value in figures.items()]
    load = round(psutil.getloadavg()[0], 1)
    show(f"{model}, {options.slots} slots", rows, {"model": model, **figures, "machine": machine(), "load_after": load})


def _measure(reference: str, slots: int, seconds: float) -> dict[str, float]:
    process = ContestantProcess(Footprint, reference, slots, seconds, environment=ENGINE_ENVIRONMENT)
    try:
        figures: dict[str, float] = process.call(Footprint.generate, seconds)
    finally:
        process.close()
    return figures


def _target(name: str) -> str:
    return {"load_s": f"≤ {MOST_SECONDS}", "generated_mb": f"≤ {MOST_MEGABYTES}"}.get(name, "")


def _megabytes(size: int) -> float:
    return round(size / 1e6, 1)


if __name__ == "__main__":
    main()
