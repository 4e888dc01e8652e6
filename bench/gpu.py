"""All figures of a GPU in one run of at most nine minutes, without a download.

`uv run python -m bench.gpu [--output FOLDER]`; `--rehearse` runs the same code on a CPU at toy size within a minute.

1. Every path (operators, attention kernel, fused; launched and replayed) is compared with float32. If one is wrong, the
   run ends with exit code 1.
2. Bandwidth of a copy; the launches of a step; a step of each path, replayed without its host.
3. Whole pieces with random weights of the true sizes: one, eight and 64 at once, the first chunk, one request joining
   32, and audiocraft's own `generate`, each in its own process.

After each measurement the figures so far are written to gpu.json and gpu.md in the folder, so that an interrupted run
still says something. The most important ones come first, and what no longer fits into --budget is left out and named.
share_of_bandwidth: bytes of weights, keys and values that a step must read, divided by its time and the bandwidth.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from bench.arguments import positive_float
from bench.contestant_process import ContestantProcess
from bench.contestants import Audiocraft, Batching, Timing
from bench.engines import tell
from bench.gpu_device import PATHS, Device
from bench.gpu_report import Figures, step_bytes, write_figures
from bench.join import Join, measure_join
from bench.launches import record_step
from bench.report import machine
from bench.sizes import SIZES, Size
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.fused_model import FusedDecoder
from worker.engine.host.launch import ENGINE_ENVIRONMENT
from worker.engine.interface import Tuning
from worker.engine.loading.load_errors import pick_device


class Scale(NamedTuple):
    """How much is measured.

    Attributes:
        sizes: of the models, by name.
        requests: at once, ascending.
        seconds: length of a piece, and of audiocraft's pieces.
        joined: how many run when one more joins.
        copied: bytes of the copy that measures bandwidth.
        steps: that are compared, or replayed in a row.
        repetitions: of replayed steps.
    """

    sizes: dict[str, Size]
    requests: tuple[int, ...]
    seconds: tuple[float, float]
    joined: int
    copied: int
    steps: int
    repetitions: int


TRUE = Scale(SIZES, (1, 8, 64), (30.0, 10.0), 32, 2**30, 6, 30)
TOY = Scale({"small": Size(16, 1, 1, card=16)}, (1, 2), (0.6, 0.5), 1, 2**20, 2, 1)
TOY_ENVIRONMENT = {"TRITON_INTERPRET": "1"}
FRAME_RATE = 50
PARITY = "parity"


class Task(NamedTuple):
    """A measurement, and the seconds that it takes at most on a GPU of the H200 class."""

    name: str
    seconds: float
    run: Callable[[], None]


class GpuBench:
    """The measurements, in the order of `tasks`."""

    def __init__(self, scale: Scale, device: str, folder: Path) -> None:
        self.scale, self.device, self._folder = scale, device, folder
        self.figures = Figures(machine(), _device_name(device), str(torch.__version__))
        self._prompts = (f"upbeat electronic music with synthesizer at {number} BPM" for number in count())

    def tasks(self) -> list[Task]:
        """All of them, the most important ones first."""
        first, *others = self.scale.sizes
        return [
            Task(PARITY, 60, self.check),
            Task("bandwidth, launches and steps", 40, self.measure_steps),
            Task(f"pieces of {first}", 120, partial(self.measure_pieces, first, join=True)),
            Task(f"audiocraft's {first}", 60, partial(self.measure_audiocraft, first)),
            *(Task(f"pieces of {name}", 100, partial(self.measure_pieces, name)) for name in others),
            *(Task(f"audiocraft's {name}", 90, partial(self.measure_audiocraft, name)) for name in others),
        ]

    def check(self) -> None:
        """Compare all paths with the reference.

        Raises:
            ContestantError: if one is wrong.
        """
        with closing(self._process(*self._model())) as process:
            self.figures.agreements = process.call(Device.agreements, min(8, self.scale.requests[-1]))

    def measure_steps(self) -> None:
        """Bandwidth, launches, and a step of each path without its host."""
        for kind, name in ((Decoder, "operators, attention kernel"), (FusedDecoder, "fused")):
            launches, operators = record_step(kind, self._size(), 1)
            self.figures.launches[name] = len(launches) + operators
        with closing(self._process(*self._model())) as process:
            self.figures.bandwidth = process.call(Device.bandwidth, self.scale.copied)
            self.figures.launches_seen = process.call(Device.launches, 1)
            for requests in self.scale.requests:
                for path in (PATHS[1].name, PATHS[-1].name):
                    taken = process.call(Device.milliseconds, path, requests, self.scale.repetitions)
                    self.figures.add_step(path, requests, taken, self._bytes(self._size(), requests))

    def measure_pieces(self, name: str, *, join: bool = False) -> None:
        """Pieces of our engine as a worker loads it, with a graph for each number of requests."""
        scale, seconds = self.scale, self.scale.seconds[0]
        slots = max(scale.requests[-1], scale.joined + 1)
        with _checkpoint(scale.sizes[name], self.device) as checkpoint:
            engine = (Batching, checkpoint, self.device, seconds, slots, Tuning(graphs="buckets"))
            with closing(self._process(*engine)) as process:
                process.run(self._some(1), min(1.0, seconds))
                self.figures.engines[name] = process.call(Batching.facts).name
                for requests in scale.requests:
                    timing = process.run(self._some(requests), seconds)
                    self.figures.add_pieces(name, requests, timing, seconds, self._bytes(scale.sizes[name], requests))
                    self.write()
                if join:
                    joined: Join = process.call(measure_join, self._some(scale.joined + 1), seconds)
                    self.figures.join = {"running": scale.joined, **joined._asdict()}

    def measure_audiocraft(self, name: str) -> None:
        """One piece of audiocraft's own `generate`, with the same sizes."""
        seconds = self.scale.seconds[1]
        with (
            _checkpoint(self.scale.sizes[name], self.device) as checkpoint,
            closing(self._process(Audiocraft, checkpoint, self.device)) as process,
        ):
            process.run(self._some(1), min(1.0, seconds))
            timing: Timing = process.run(self._some(1), seconds)
        self.figures.add_audiocraft(name, timing)

    def write(self) -> None:
        """Write the figures so far."""
        write_figures(self.figures, self._folder)

    def _process(self, *arguments: Any) -> ContestantProcess:
        toy = TOY_ENVIRONMENT if self.device == "cpu" else {}
        return ContestantProcess(*arguments, environment={**ENGINE_ENVIRONMENT, **toy})

    def _model(self) -> tuple[object, ...]:
        return Device, self.device, self._size(), self._frames(), self.scale.steps

    def _some(self, number: int) -> list[str]:
        """New prompts, because the engine caches the encoding of texts."""
        return [next(self._prompts) for _ in range(number)]

    def _size(self) -> Size:
        return next(iter(self.scale.sizes.values()))

    def _frames(self) -> int:
        return round(self.scale.seconds[0] * FRAME_RATE)

    def _bytes(self, size: Size, requests: int) -> int:
        return step_bytes(size, requests, self._frames() // 2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write and print; returns the exit code: 1 if a path is wrong."""
    options = _parser().parse_args(arguments)
    device = "cpu" if options.rehearse else pick_device("auto")
    if device != "cuda" and not options.rehearse:
        tell("PyTorch sees no GPU here. Use --rehearse to run the same code on a CPU, at toy size.")
        return 2
    options.output.mkdir(parents=True, exist_ok=True)
    bench = GpuBench(TOY if options.rehearse else TRUE, device, options.output)
    # A rehearsal has no budget: a busy CPU may be a hundred times slower.
    return run_tasks(bench, math.inf if options.rehearse else options.budget)


def run_tasks(bench: GpuBench, budget: float) -> int:
    """Run what fits into the budget of seconds; returns the exit code: 1 if anything failed."""
    started, code = time.monotonic(), 0
    for task in bench.tasks():
        left = budget - (time.monotonic() - started)
        if left < task.seconds:
            bench.figures.left_out.append(f"{task.name}: needs up to {task.seconds:.0f} s, {left:.0f} were left")
            if task.name == PARITY:
                break  # figures of paths that may be wrong say nothing
            continue
        tell(f"{task.name}, {left:.0f} s left")
        try:
            task.run()
        except Exception as error:  # the others are still measured; the report and the exit code tell
            sys.excepthook(type(error), error, error.__traceback__)
            bench.figures.left_out.append(f"{task.name}: {type(error).__name__}: {error}")
            code = 1
        if code and task.name == PARITY:
            bench.write()
            tell("WRONG RESULTS: nothing was measured.")
            return code
        bench.figures.seconds[task.name] = round(time.monotonic() - started, 1)
        bench.write()
    print(bench.figures.markdown(), flush=True)
    return code


@contextmanager
def _checkpoint(size: Size, device: str) -> Iterator[str]:
    """A folder with random weights of this size."""
    from bench.checkpoints import write_checkpoint  # imports audiocraft, which takes seconds

    with TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), size, device)
        yield folder


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "CPU, a rehearsal: the figures mean nothing"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, at toy size")
    parser.add_argument("--budget", type=positive_float, default=520.0, help="seconds (default: 520)")
    parser.add_argument("--output", type=Path, default=Path("gpu-figures"), help="a folder (default: gpu-figures)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
