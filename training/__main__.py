"""Runs the whole recipe, from the sound font to the evaluation table.

    python -m training --folder FOLDER [--pieces 160000] [--steps 16800] [--init CHECKPOINT] [training.evaluate's]

Continues from what the folder already holds, so it can be interrupted and restarted at any time. The bank of samples
is made only if it is missing.
"""

import argparse
from pathlib import Path
from typing import Any

from training import data, evaluate, export, train
from training.bank import make as bank
from worker.engine.sampler.bank import BANK

PIECES, STEPS = 160_000, 16_800


def main(arguments: list[str] | None = None) -> None:
    """Make the data, train, export and evaluate."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Make the starter, and measure it.")
    parser.add_argument("--folder", type=Path, required=True, help="for pieces, checkpoint and model")
    parser.add_argument("--pieces", type=int, default=PIECES)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--init", type=Path, metavar="CHECKPOINT", help="see training.train")
    parser.add_argument("--processes", type=int, default=1, help="that make pieces")
    options, measuring = parser.parse_known_args(arguments)
    _make(options, measuring)


def _make(options: Any, measuring: list[str]) -> None:
    pieces, run, model = (str(options.folder / name) for name in ("data", "run", "model"))
    if not BANK.exists():
        bank.main()
    data.main(["--folder", pieces, "--pieces", str(options.pieces), "--processes", str(options.processes)])
    start = ["--init", str(options.init)] if options.init else []
    train.main(["--data", pieces, "--out", run, "--steps", str(options.steps), *start])
    export.main(["--run", run, "--out", model])
    evaluate.main(["--model", model, "--data", pieces, "--losses", str(Path(run) / "losses.csv"), *measuring])


if __name__ == "__main__":
    main()
