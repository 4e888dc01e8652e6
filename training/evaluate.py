"""Measures how well a checkpoint follows its captions. Prints a table, and a line of JSON.

    python -m training.evaluate --model FOLDER [--captions 200] [--data FOLDER] [--spectrograms FOLDER]
    python -m training.evaluate --model FOLDER --prompts training/evaluation/prompts.json

Captions are from the test split, whose wordings are not in the training data. The decode engine plays them, several at
once, with the service's defaults. `ceiling` is the figure of the generator's own pieces for the same captions. They
have the level of the checkpoint's scores, and calibrate the measures.

With `--prompts`, prompts as people write them are played instead, and their wishes are checked; see
`training/evaluation/prompt_table.py`.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data import read_shards
from training.evaluation.cases import draw_cases
from training.evaluation.coherence import constancy_figures
from training.evaluation.copying import bar_hashes, longest_runs, training_hashes
from training.evaluation.measures import LISTENED, READ, Measures
from training.evaluation.performance import Figures, Performance
from training.evaluation.pictures import draw_losses, draw_spectrogram, read_losses
from training.evaluation.playing import CheckpointPlayer, on_all_cores, play_own
from training.evaluation.prompt_table import evaluate_prompts
from training.evaluation.table import Tally, as_json, print_table, results
from training.music import Piece

LONG = 120.0
PICTURES = 3
WARM_UP = 2.0


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options: Any = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    if options.prompts:
        evaluate_prompts(str(options.model), options.prompts, options.takes, options.slots, options.json)
        return
    if options.losses:
        draw_losses(*read_losses(options.losses), options.losses.with_suffix(".png"))
    # At least half as many captions name a tempo, and a quarter as many name each other property.
    wanted = dict.fromkeys(("drums", "solo", "instruments", "key", "genre", "mood"), options.captions // 4)
    sampling = {name: value for name in ("temperature", "cfg_coef") if (value := getattr(options, name)) is not None}
    player = CheckpointPlayer(options.model, options.slots, LONG, sampling)
    try:
        cases = draw_cases(options.captions, {"tempo": options.captions // 2, **wanted}, player.level)
        measures = Measures(options.seconds, options.read, options.listened, player.level)
        found, played = Tally([_speed(player, cases[0], options.seconds)]), []
        for number, performance in enumerate(player.play(cases, options.seconds)):
            found.add(measures(performance))
            played.append(bar_hashes(performance.bars))
            if options.spectrograms and number < PICTURES:
                _picture(performance, cases[number].caption, options.spectrograms / f"spectrogram-{number + 1}.png")
        for performance in player.play(cases[: options.long], LONG):
            found.add(constancy_figures(performance))
    finally:
        player.close()
    own, written = _ceiling(cases, options, measures)
    if options.data:
        runs = longest_runs([*played, *written], training_hashes(read_shards(options.data)))
        _add_runs(found, runs[: len(played)])
        _add_runs(own, runs[len(played) :])
    table = results(found, own)
    print_table(table)
    line = json.dumps({"model": options.model.name, "captions": len(cases), "rows": as_json(table)})
    if options.json:
        options.json.write_text(line + "\n")
    print(line)


def _speed(player: CheckpointPlayer, piece: Piece, seconds: float) -> Figures:
    """The speed of one piece alone, in a warm engine."""
    player.time(piece.caption, WARM_UP)
    pace = player.time(piece.caption, seconds)
    return {"speed, audio by time": pace.audio / pace.whole, "first chunk": pace.first}


def _ceiling(cases: list[Piece], options: Any, measures: Measures) -> tuple[Tally, list[list[int]]]:
    """The figures of the generator's own pieces for these captions, and the hashes of their bars."""
    found, written = Tally(), []
    for performance in on_all_cores(partial(play_own, seconds=options.seconds), cases):
        found.add(measures(performance))
        written.append(bar_hashes(performance.bars))
    for performance in on_all_cores(partial(play_own, seconds=LONG), cases[: options.long]):
        found.add(constancy_figures(performance))
    return found, written


def _add_runs(tally: Tally, runs: NDArray[np.int64]) -> None:
    tally.add({"copied run, median": float(np.median(runs)), "copied run, longest": float(runs.max())})


def _picture(performance: Performance, caption: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draw_spectrogram(performance.audio, caption, file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how well a checkpoint does what captions ask for.")
    parser.add_argument("--model", type=Path, required=True, help="a checkpoint's folder")
    parser.add_argument("--prompts", type=Path, metavar="FILE", help="prompts with their wishes, in place of captions")
    parser.add_argument("--takes", type=int, default=1, help="of each prompt (1)")
    parser.add_argument("--captions", type=int, default=200, help="more are added until each row has enough")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--long", type=int, default=16, help=f"how many captions are played for {LONG:.0f} s")
    parser.add_argument("--data", type=Path, help="training data, to look for copies in")
    parser.add_argument("--json", type=Path, help="write the line of JSON there too")
    parser.add_argument("--spectrograms", type=Path, metavar="FOLDER", help=f"write {PICTURES} of them there")
    parser.add_argument("--losses", type=Path, metavar="FILE", help="losses.csv: a plot of it is written beside it")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--cfg-coef", type=float)
    parser.add_argument("--slots", type=int, default=8, help="pieces that are played at once")
    parser.add_argument("--read", type=int, default=READ, help="the generator's pieces whose notes calibrate measures")
    parser.add_argument("--listened", type=int, default=LISTENED, help="how many of them are listened to")
    return parser


if __name__ == "__main__":
    main()
