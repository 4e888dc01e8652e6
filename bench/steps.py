"""Compares single steps of the language model: see `bench.decode`."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain
from statistics import fmean, median

import numpy as np
import psutil

from bench.bandwidth import ReadSweep
from bench.contestant_process import ContestantError, ContestantProcess
from bench.engines import tell
from bench.report import machine, milliseconds, show
from bench.step_contestants import (
    STEP_CONTESTANTS,
    NativeStep,
    StepContestant,
    logits_of,
    random_codes,
    time_steps,
)
from bench.step_weights import POSITIONS
from worker.engine.batching.checkpoint import read_checkpoint
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.host.launch import ENGINE_ENVIRONMENT

ENGINE = "engine"
# Steps of a contestant in a row, and before the first of them.
BLOCK, WARM_UP = 6, 2
# Users and steps whose logits are compared before anything is timed.
CHECKED = 3, 6
# Logits of int8 models differ by a tenth of their size, those of int4 by half, those of another model by more than all.
MOST_ERROR = 0.8


@dataclass
class Case:
    """Steps at so many users and from one position on: seconds by contestant and round, and bytes per second."""

    users: int
    position: int
    load: float
    rounds: dict[str, list[list[float]]]
    bytes_read: dict[str, int] = field(default_factory=dict)
    bandwidth: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, object]:
        best = 1 / best_tenth([1 / each for each in self.bandwidth])
        return {
            "users": self.users,
            "position": self.position,
            "load_before": self.load,
            "bandwidth_gb_s": round(median(self.bandwidth) / 1e9, 2),
            "best_bandwidth_gb_s": round(best / 1e9, 2),
            **{name: self._of(name, best) for name in self.rounds},
        }

    def _of(self, name: str, bandwidth: float) -> dict[str, float]:
        """Of one contestant; `ratio` is its time divided by ours in the same round."""
        mine, ours = self.rounds[name], self.rounds[ENGINE]
        taken = list(chain(*mine))
        best = best_tenth(taken)
        pairs = zip(mine, ours, strict=True)
        return {
            "median_ms": milliseconds(median(taken)),
            "best_tenth_ms": milliseconds(best),
            "ratio": round(median(median(other) / median(own) for other, own in pairs), 2),
            "best_tenth_ratio": round(best / best_tenth(list(chain(*ours))), 2),
            "gb_s": round(self.bytes_read[name] / best / 1e9, 2),
            "share_of_bandwidth": round(self.bytes_read[name] / best / bandwidth, 3),
        }


def measure_steps(options: argparse.Namespace, reference: str, processes: ExitStack) -> None:
    """Load all contestants, compare their logits, time them in turns, and report."""
    room = WARM_UP + options.repetitions * BLOCK
    if max(options.positions) + room > POSITIONS:
        raise ContestantError(f"A window has {POSITIONS} positions: choose less than {POSITIONS - room}.")
    config = read_checkpoint(reference).config
    if config.fuses != "cross":
        raise ContestantError("Steps are compared of models whose text enters by cross-attention.")
    contestants = {}
    for name in (ENGINE, *options.compare):
        tell(f"Loading {name}")
        contestants[name] = ContestantProcess(
            STEP_CONTESTANTS[name], reference, options.threads, environment=ENGINE_ENVIRONMENT
        )
        processes.callback(contestants[name].close)
    errors = check_logits(contestants, config)
    sweep = ReadSweep(options.threads)
    cases = [
        _measure(
            contestants, config, sweep, Case(users, position, _load(), {name: [] for name in contestants}), options
        )
        for users in options.batch
        for position in options.positions
    ]
    instruction_set = contestants[ENGINE].call(_instruction_set)
    _report(cases, errors, instruction_set, options)


def check_logits(contestants: dict[str, ContestantProcess], config: LanguageModelConfig) -> dict[str, float]:
    """The relative error of each one's logits to those of the engine.

    Raises:
        ContestantError: if one computes something else.
    """
    users, steps = CHECKED
    codes = [random_codes(users, config.codebooks, config.codebook_size, step) for step in range(steps)]
    logits = {name: process.call(logits_of, codes) for name, process in contestants.items()}
    ours = logits[ENGINE]
    errors = {name: float(np.linalg.norm(each - ours) / np.linalg.norm(ours)) for name, each in logits.items()}
    for name, error in errors.items():
        tell(f"{name}: logits differ from the engine's by {error:.3f} of their size")
        if not error < MOST_ERROR:
            raise ContestantError(f"{name} computes another model: its logits differ by {error:.2f} of their size.")
    return {name: round(error, 4) for name, error in errors.items() if name != ENGINE}


def best_tenth(values: Sequence[float]) -> float:
    """The mean of the smallest tenth."""
    return fmean(sorted(values)[: max(1, len(values) // 10)])


def _measure(
    contestants: dict[str, ContestantProcess],
    config: LanguageModelConfig,
    sweep: ReadSweep,
    case: Case,
    options: argparse.Namespace,
) -> Case:
    codes = random_codes(case.users, config.codebooks, config.codebook_size, 0)
    room = WARM_UP + options.repetitions * BLOCK
    for name, process in contestants.items():
        tell(f"{case.users} at once, position {case.position}: preparing {name}")
        process.call(_begin, case.users, case.position, room)
        process.call(time_steps, codes, case.position, WARM_UP)
        case.bytes_read[name] = process.call(_bytes_read, case.users, case.position + room // 2)
    for index in range(options.repetitions):
        case.bandwidth.append(sweep.measure())
        position = case.position + WARM_UP + index * BLOCK
        for name in list(contestants)[:: 1 if index % 2 == 0 else -1]:
            case.rounds[name].append(contestants[name].call(time_steps, codes, position, BLOCK))
        case.bandwidth.append(sweep.measure())
    return case


def _begin(contestant: StepContestant, users: int, position: int, room: int) -> None:
    contestant.begin(users, position, room)


def _bytes_read(contestant: StepContestant, users: int, position: int) -> int:
    return contestant.bytes_read(users, position)


def _instruction_set(contestant: NativeStep) -> str:
    return contestant.instruction_set


def _load() -> float:
    return round(psutil.getloadavg()[0], 1)


def _report(cases: list[Case], errors: dict[str, float], instruction_set: str, options: argparse.Namespace) -> None:
    all_figures = [case.figures() for case in cases]
    rows = []
    for case, of_case in zip(cases, all_figures, strict=True):
        at = f"{case.users} × {case.position}"
        rows.append((f"{at}: memory, GB/s", f"{of_case['bandwidth_gb_s']} ({of_case['best_bandwidth_gb_s']})", ""))
        for name in case.rounds:
            of: dict[str, float] = of_case[name]  # type: ignore[assignment]
            times = f"{of['median_ms']} ({of['best_tenth_ms']})"
            ratios = f"{of['ratio']} ({of['best_tenth_ratio']}), {of['share_of_bandwidth']:.0%}"
            rows.append((f"{at}: {name}", times, ratios))
    title = f"{options.checkpoint or options.model}, engine with {instruction_set}: median (mean of the best tenth)"
    figures = {
        "model": str(options.checkpoint or options.model),
        "instruction_set": instruction_set,
        "threads": options.threads,
        "rounds": options.repetitions,
        "steps_per_round": BLOCK,
        "error_to_engine": errors,
        "versions": _versions(options.compare),
        "machine": machine(),
        "load_after": _load(),
        "cases": all_figures,
    }
    show(title, rows, figures, ("users × position", "ms a step", "times ours, share of memory's speed"))


def _versions(names: Sequence[str]) -> dict[str, str]:
    packages = {"pytorch": "torch"}
    return {name: version(packages.get(name, name)) for name in names if name != "int4"}
