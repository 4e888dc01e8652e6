"""Makes the training data: shards of codes and captions, written in parallel.

python -m training.data --folder FOLDER --pieces 50000 [--level 2]
"""

import argparse
import json
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

from training.music import make_piece
from worker.engine.sampler.codes import Codes, encode
from worker.engine.sampler.score import LEVEL, Score, Section

SHARD = 1000
ENDINGS = (Section.OUTRO, Section.END)


def make_shard(job: tuple[Path, int, int, int]) -> Path:
    """Write the pieces of a range of seeds and a level atomically; an existing shard is kept."""
    folder, first, last, level = job
    file = folder / f"pieces-{first:07d}.npz"
    if file.exists():
        return file
    pieces = [make_piece(seed, level=level) for seed in range(first, last)]
    codes = [learnt_codes(piece.score).astype(np.int16) for piece in pieces]
    draft = file.with_suffix(".draft")
    with draft.open("wb") as target:
        np.savez_compressed(
            target,
            codes=np.concatenate(codes, axis=1),
            lengths=np.array([each.shape[1] for each in codes]),
            captions=np.array(json.dumps([piece.caption for piece in pieces])),
        )
    draft.rename(file)
    return file


def learnt_codes(score: Score) -> Codes:
    """The codes of a score up to its outro.

    The model does not know a request's duration: one trained on endings would fall silent too early. So it learns to
    continue, and the sampler fades out at the requested duration.
    """
    bars = next((bar for bar, section in enumerate(score.sections) if section in ENDINGS), len(score.sections))
    # One bar more for the count-in.
    return encode(score)[:, : (1 + bars) * score.header.steps]


def read_shards(folder: Path) -> Iterator[tuple[Codes, str]]:
    """The codes and the caption of every piece."""
    for file in sorted(folder.glob("pieces-*.npz")):
        with np.load(file) as shard:
            ends = np.cumsum(shard["lengths"])
            pieces = np.split(shard["codes"].astype(np.int64), ends[:-1], axis=1)
            yield from zip(pieces, json.loads(str(shard["captions"])), strict=True)


def main(arguments: list[str] | None = None) -> None:
    """Make the shards."""
    options: Any = _parser().parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    firsts = range(0, options.pieces, SHARD)
    jobs = [(options.folder, first, min(first + SHARD, options.pieces), options.level) for first in firsts]
    with Pool(options.processes) as pool:
        for done, _ in enumerate(pool.imap_unordered(make_shard, jobs), 1):
            print(f"{done * SHARD} pieces", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Make the pieces that the starter is trained on.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=50_000)
    parser.add_argument("--level", type=int, choices=range(1, LEVEL + 1), default=LEVEL, help="of the scores")
    parser.add_argument("--processes", type=int, default=2)
    return parser


if __name__ == "__main__":
    main()
