"""Compares the speed of the decode engine with audiocraft and transformers.

`uv run python -m bench.decode --model small --batch 1 --seconds 4 [--compare pytorch,audiocraft,transformers]`

Weights are random and of the real size, unless --checkpoint is given. Each contestant has its own process, runs a
second to warm up, then --repetitions times while the others are idle. Figures are medians:

stock_ms_per_step, engine_ms_per_step, transformers_ms_per_step: wall time without decoding to audio, divided by the
    steps of one piece. Stock audiocraft and transformers make one piece, the decode engine --batch pieces at once.
ratio, ratio_transformers: the other's time for --batch pieces in sequence (--batch times that of one), divided by the
    decode engine's time for the same pieces, audio included. stock_batch_ms_per_step and ratio_stock_batch: audiocraft
    with all pieces in one static batch, in which all pieces begin and end together.
realtime_factor: length of a piece divided by the wall time until all audio is on the host; aggregate_realtime: the same
    for the total length of all pieces.
first_chunk_s: seconds until every piece has its first chunk of audio.
language_model_ms_per_step: median time between steps of the decode engine's full batch, without admission and codec.
codec_ms_per_audio_s: time to decode a second of one piece to audio; stock_codec_ms_per_audio_s: audiocraft's.
pytorch_ms_per_step, ratio_pytorch: with --compare pytorch, the decode engine with its steps in PyTorch instead of the
    native library, also with --batch pieces at once. pytorch_language_model_ms_per_step and
    ratio_pytorch_language_model: the same for language_model_ms_per_step.
best_ratio_pytorch_language_model: that of the fastest runs.
join: with --join, language_model_ms_per_step before and after one more request joins the running batch, and the longest
    time between steps around the join.

`uv run --group peers python -m bench.decode --compare pytorch,int4,openvino,onnxruntime --batch 1,8 [--positions N,N]`

OpenVINO and ONNX Runtime have no sampling and no codec, so single steps are compared, from codes to logits: of --batch
pieces with guidance at --positions, all with int8 weights and as many threads; `int4` is ours with weights of four
bits. First their logits are compared with
ours. Then each takes six steps in its turn, --repetitions times, from that position on. By case and contestant:

median_ms, best_tenth_ms: time of a step, and the mean of the fastest tenth.
ratio, best_tenth_ratio: the other's time divided by ours, the first one as the median over the turns.
gb_s, share_of_bandwidth: what a step must read (weights, keys and values as they are stored) divided by its best tenth,
    and that divided by best_bandwidth_gb_s, at which as many threads read plain memory between the turns.
error_to_engine: the relative difference of the logits to ours.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal, get_args, get_type_hints

import psutil
import torch

from bench.arguments import positive_float, positive_int
from bench.checkpoints import write_checkpoint
from bench.contestant_process import ContestantError, ContestantProcess
from bench.contestants import CORES, Audiocraft, Batching, Facts, Timing, Transformers
from bench.engines import tell
from bench.join import Join, measure_join
from bench.report import machine, milliseconds, show
from bench.sizes import SIZES
from bench.steps import ENGINE, measure_steps
from shared.errors import ModelUnavailableError
from shared.models import STARTER
from worker.engine.batching.checkpoint import read_checkpoint
from worker.engine.host.launch import ENGINE_ENVIRONMENT
from worker.engine.interface import Tuning
from worker.engine.loading.checkpoints import find_checkpoint
from worker.engine.loading.load_errors import pick_device

WARM_UP = 1.0
OTHERS = ("pytorch", "audiocraft", "transformers")
# They make single steps, which are compared at these positions.
STEP_ONLY = ("int4", "openvino", "onnxruntime")
POSITIONS = (250, 1450)
PYTORCH = "engine, steps in PyTorch"
STOCK, STOCK_BATCH, TRANSFORMERS = "audiocraft", "audiocraft, static batch", "transformers"

# By contestant, one per repetition.
Timings = dict[str, list[Timing]]
# Makes pieces of the given length in seconds.
Run = Callable[[float], Timing]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    measuring = _pick_measurement(parser, options)
    try:
        with open_checkpoint(options) as reference, ExitStack() as processes:
            measuring(options, reference, processes)
    except ModelUnavailableError as error:
        parser.error(f"{error} {error.remedy}")
    except ContestantError as error:
        parser.error(str(error))


def _pick_measurement(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> Callable[[argparse.Namespace, str, ExitStack], None]:
    """Of pieces or of steps; completes the options."""
    if options.positions or set(STEP_ONLY) & set(options.compare):
        if set(options.compare) - {"pytorch", *STEP_ONLY}:
            parser.error("audiocraft and transformers make pieces, not single steps: compare them in another run.")
        options.positions, options.repetitions = options.positions or POSITIONS, options.repetitions or 8
        return measure_steps
    if len(options.batch) > 1:
        parser.error("Several numbers of --batch need --positions: pieces are measured with one number.")
    (options.batch,), options.repetitions = options.batch, options.repetitions or 3
    return measure


def measure(options: argparse.Namespace, reference: str, processes: ExitStack) -> None:
    """Load all contestants, let them run in turns, and report."""
    needed = options.batch + options.join
    engine = _engine(options, reference, processes, options.step)
    slots = engine.call(Batching.facts).slots
    if slots < needed:
        raise ContestantError(f"Memory is enough for only {slots} requests at once: choose a smaller --batch.")
    runs = _contestants(options, reference, engine, processes)
    load = psutil.getloadavg()[0]
    timings = take_turns(runs, options.repetitions, options.seconds)
    join: Join | None = None
    if options.join:
        join = engine.call(measure_join, _prompts(options.batch + 1), options.seconds)
    facts: Facts = engine.call(Batching.facts)
    figures = {
        "model": str(options.checkpoint or options.model),
        "batch": options.batch,
        "seconds": options.seconds,
        "engine": facts.name,
        **summarize(timings, options.batch, options.seconds),
        "join": join and join._asdict(),
        "device": _device_name(options.device),
        "machine": machine(),
        "slots": facts.slots,
        "threads": {"engine": facts.threads, "others": CORES},
        "load_before": round(load, 1),
        "repetitions": options.repetitions,
    }
    report(timings, figures, join)


def take_turns(runs: dict[str, Run], repetitions: int, seconds: float) -> Timings:
    """Warm all contestants up, then run them in turns, in reverse order every second time."""
    for name, run in runs.items():
        tell(f"Warming up: {name}")
        run(min(WARM_UP, seconds))
    timings: Timings = {name: [] for name in runs}
    for repetition in range(repetitions):
        for name in list(runs)[:: 1 if repetition % 2 == 0 else -1]:
            timings[name].append(runs[name](seconds))
            tell(f"{name}: {timings[name][-1].wall:.2f} s")
    return timings


def summarize(timings: Timings, batch: int, seconds: float) -> dict[str, float | None]:
    """The figures of the JSON line that depend on the timings."""
    walls = [each.wall for each in timings[ENGINE]]
    return {
        "stock_ms_per_step": _median_ms(timings, STOCK, lambda each: each.step),
        "engine_ms_per_step": _median_ms(timings, ENGINE, lambda each: each.step),
        "transformers_ms_per_step": _median_ms(timings, TRANSFORMERS, lambda each: each.step),
        "stock_batch_ms_per_step": _median_ms(timings, STOCK_BATCH, lambda each: each.step),
        "ratio": _ratio(timings, STOCK, batch),
        "ratio_transformers": _ratio(timings, TRANSFORMERS, batch),
        "ratio_stock_batch": _ratio(timings, STOCK_BATCH, 1),
        **_against_pytorch(timings),
        "realtime_factor": round(seconds / median(walls), 3),
        "aggregate_realtime": round(batch * seconds / median(walls), 3),
        "first_chunk_s": round(median(each.first_chunk for each in timings[ENGINE]), 3),
        "language_model_ms_per_step": _median_ms(timings, ENGINE, lambda each: each.turn),
        "codec_ms_per_audio_s": _median_ms(timings, ENGINE, lambda each: each.decoding / batch / seconds),
        "stock_codec_ms_per_audio_s": _median_ms(timings, STOCK, lambda each: each.decoding / seconds),
    }


def _against_pytorch(timings: Timings) -> dict[str, float | None]:
    if PYTORCH not in timings or not all(each.turn for each in (*timings[PYTORCH], *timings[ENGINE])):
        return {}
    pairs = list(zip(timings[PYTORCH], timings[ENGINE], strict=True))
    theirs, ours = (min(each.turn for each in timings[name]) for name in (PYTORCH, ENGINE))
    return {
        "pytorch_ms_per_step": _median_ms(timings, PYTORCH, lambda each: each.step),
        "ratio_pytorch": _ratio(timings, PYTORCH, 1),
        "pytorch_language_model_ms_per_step": _median_ms(timings, PYTORCH, lambda each: each.turn),
        "ratio_pytorch_language_model": round(median(other.turn / mine.turn for other, mine in pairs), 2),
        "best_ratio_pytorch_language_model": round(theirs / ours, 2),
    }


def _median_ms(timings: Timings, name: str, value: Callable[[Timing], float]) -> float | None:
    return milliseconds(median(value(each) for each in timings[name])) if name in timings else None


def _ratio(timings: Timings, name: str, times: int) -> float | None:
    """The median ratio over the repetitions, which pairs runs of about the same time."""
    if name not in timings:
        return None
    pairs = zip(timings[name], timings[ENGINE], strict=True)
    return round(median(times * other.wall / ours.wall for other, ours in pairs), 2)


def report(timings: Timings, figures: dict[str, object], join: Join | None) -> None:
    """Print the table and the line of JSON."""
    rows = []
    for name, all_of_it in timings.items():
        best = min(all_of_it, key=lambda each: each.step)
        worst = max(all_of_it, key=lambda each: each.step)
        rows.append((f"{name}, ms a step, best to worst", f"{best.step * 1000:.1f} to {worst.step * 1000:.1f}", ""))
    rows += [(name, f"{value:g}", "") for name, value in figures.items() if isinstance(value, float)]
    if join:
        rows.append(("one more joins, ms a step", f"{join.ms_per_step_before} → {join.ms_per_step_after}", ""))
        rows.append(("longest step around that, ms", f"{join.longest_ms}", ""))
    title = f"{figures['model']}, {figures['batch']} at once, {figures['engine']} on {figures['device']}"
    show(title, rows, figures)


def _contestants(
    options: argparse.Namespace, reference: str, engine: ContestantProcess, processes: ExitStack
) -> dict[str, Run]:
    runs: dict[str, Run] = {ENGINE: lambda seconds: engine.run(_prompts(options.batch), seconds)}
    if "pytorch" in options.compare:
        in_pytorch = _engine(options, reference, processes, "torch")
        runs[PYTORCH] = lambda seconds: in_pytorch.run(_prompts(options.batch), seconds)
    if "audiocraft" in options.compare:
        stock = ContestantProcess(Audiocraft, reference, options.device)
        processes.callback(stock.close)
        runs[STOCK] = lambda seconds: stock.run(_prompts(1), seconds)
        if options.batch > 1:
            runs[STOCK_BATCH] = lambda seconds: stock.run(_prompts(options.batch), seconds)
    if "transformers" in options.compare:
        other = ContestantProcess(Transformers, read_checkpoint(reference).config, options.device)
        processes.callback(other.close)
        runs[TRANSFORMERS] = lambda seconds: other.run(_prompts(1), seconds)
    return runs


def _engine(
    options: argparse.Namespace, reference: str, processes: ExitStack, step: Literal["auto", "native", "torch"]
) -> ContestantProcess:
    tuning = Tuning(precision=options.precision, step=step, graphs=options.graphs)
    slots = max(options.batch + options.join, options.slots)
    engine = ContestantProcess(
        Batching, reference, options.device, options.seconds, slots, tuning, environment=ENGINE_ENVIRONMENT
    )
    processes.callback(engine.close)
    return engine


_numbers = count()


def _prompts(number: int) -> list[str]:
    """New prompts each time, since the decode engine caches text embeddings."""
    return [f"upbeat electronic music with synthesizer at {next(_numbers)} BPM" for _ in range(number)]


@contextmanager
def open_checkpoint(options: argparse.Namespace) -> Iterator[str]:
    """The checkpoint's folder."""
    if options.checkpoint:
        yield find_checkpoint(str(options.checkpoint.resolve()))
    elif options.model == STARTER:
        yield find_checkpoint(STARTER)
    else:
        with TemporaryDirectory() as folder:
            tell(f"Writing random weights of the size of {options.model}")
            write_checkpoint(Path(folder), SIZES[options.model])
            yield folder


def _device_name(device: str) -> str:
    return f"cuda: {torch.cuda.get_device_name()}" if device == "cuda" else device


def _others(names: str) -> list[str]:
    """Parse --compare."""
    others = [name for name in names.split(",") if name not in ("", "none")]
    if set(others) - {*OTHERS, *STEP_ONLY}:
        known = ", ".join((*OTHERS, *STEP_ONLY))
        raise argparse.ArgumentTypeError(f"choose none, or any of {known}, separated by commas")
    return others


def _numbers_of(text: str) -> tuple[int, ...]:
    """Parse --batch and --positions."""
    return tuple(positive_int(each) for each in text.split(","))


def _choices(switch: str) -> tuple[str, ...]:
    """The choices of a switch of `Tuning`."""
    return get_args(get_type_hints(Tuning)[switch])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.decode", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=(*SIZES, STARTER), default="small", help="(default: small)")
    parser.add_argument("--checkpoint", type=Path, help="a folder in audiocraft's format, in place of --model")
    parser.add_argument("--batch", type=_numbers_of, default=(1,), help="pieces at once (default: 1)")
    parser.add_argument("--positions", type=_numbers_of, help="compare single steps there, instead of pieces")
    parser.add_argument("--threads", type=positive_int, default=CORES, help="of single steps (default: all cores)")
    parser.add_argument("--seconds", type=positive_float, default=4.0, help="length of a piece (default: 4)")
    parser.add_argument("--device", type=pick_device, default="auto", help="auto, cuda, mps or cpu (default: auto)")
    parser.add_argument(
        "--compare", type=_others, default="audiocraft",
        help=f"{','.join((*OTHERS, *STEP_ONLY))} or none (default: audiocraft)",
    )  # fmt: skip
    parser.add_argument("--precision", choices=_choices("precision"), default="auto", help="of our engine")
    parser.add_argument("--step", choices=_choices("step"), default="auto", help="of our engine on a CPU")
    parser.add_argument("--graphs", choices=_choices("graphs"), default="steady", help="of our engine on a GPU")
    parser.add_argument("--slots", type=positive_int, default=1, help="of our engine, if more than it needs")
    parser.add_argument("--repetitions", type=positive_int, help="(default: 3 of pieces, 8 of steps)")
    parser.add_argument("--join", action="store_true", help="also let one more request join the running batch")
    return parser


if __name__ == "__main__":
    main()
