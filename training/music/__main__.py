"""Print pieces: `python -m training.music --count 5 --seed 1`."""

import argparse
from pathlib import Path

from training.evaluation.pictures import draw_roll
from training.music.piece import make_piece
from training.music.roll import print_roll
from worker.engine.sampler.codes import encode
from worker.engine.sampler.midi import midi
from worker.engine.sampler.score import LEVEL


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.music", description=__doc__)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("train", "test"), default="train")
    parser.add_argument("--level", type=int, choices=range(1, LEVEL + 1), default=LEVEL, help="of the scores")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write a piano roll of each piece there")
    parser.add_argument("--bars", type=int, default=4, help="how many bars of each piece")
    parser.add_argument("--first", type=int, default=0, help="the first of them, from 0")
    parser.add_argument("--midi", type=Path, metavar="DIR", help="write a MIDI file of each piece there")
    options = parser.parse_args()
    for seed in range(options.seed, options.seed + options.count):
        piece = make_piece(seed, options.split, options.level)
        print(f"{seed}: {piece.caption}\n   {piece.spec}\n{print_roll(piece.score, options.first, options.bars)}\n")
        if options.midi:
            options.midi.mkdir(parents=True, exist_ok=True)
            (options.midi / f"{options.split}-{seed}.mid").write_bytes(midi(encode(piece.score)))
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
            draw_roll(piece.score, piece.caption, options.pictures / f"{options.split}-{seed}.png")


main()
