"""Whether music is new: the longest run of bars that is the same in a piece of the training data."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.codes import Codes
from worker.engine.sampler.conductor import METER_PLACE, read_header
from worker.engine.sampler.score import Header

Hashes = list[int]
_RANDOM = np.random.default_rng(0).integers(1, 2**63, (7, 16), dtype=np.uint64) | np.uint64(1)


def bar_hashes(found: Iterable[Codes]) -> Hashes:
    """One number for each bar, [7, steps]; of all its events, in their places."""
    return [int((bar.astype(np.uint64) * _RANDOM[:, : bar.shape[1]]).sum()) for bar in found]


def longest_runs(pieces: Sequence[Hashes], training: Iterable[Hashes]) -> NDArray[np.int64]:
    """For each piece how many bars in a row, at most, are those of one training piece; silent bars count too."""
    places: dict[int, list[tuple[int, int]]] = {}
    for piece, hashes in enumerate(pieces):
        for bar, found in enumerate(hashes):
            places.setdefault(found, []).append((piece, bar))
    longest = np.zeros(len(pieces), np.int64)
    for hashes in training:
        before: dict[tuple[int, int], int] = {}
        for found in hashes:
            runs = {(piece, bar): before.get((piece, bar - 1), 0) + 1 for piece, bar in places.get(found, ())}
            for (piece, _), run in runs.items():
                longest[piece] = max(longest[piece], run)
            before = runs
    return longest


def training_hashes(pieces: Iterable[tuple[Codes, str]]) -> Iterable[Hashes]:
    """The bars of training pieces; the first one is counted in."""
    for codes, _ in pieces:
        steps = read_header(int(codes[0, METER_PLACE]), Header()).steps
        yield bar_hashes(np.split(codes[1:], range(steps, codes.shape[1], steps), axis=1)[1:])
