"""Detects copies: the longest run of bars that a piece of the training data also has."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.codes import Codes
from worker.engine.sampler.conductor import METER_PLACE, read_header
from worker.engine.sampler.score import LONGEST_BAR, Header

Hashes = list[int]
_RANDOM = np.random.default_rng(0).integers(1, 2**63, (7, LONGEST_BAR), dtype=np.uint64) | np.uint64(1)


def bar_hashes(found: Iterable[Codes]) -> Hashes:
    """A hash of each bar's codes, [7, steps]."""
    return [int((bar.astype(np.uint64) * _RANDOM[:, : bar.shape[1]]).sum()) for bar in found]


def longest_runs(pieces: Sequence[Hashes], training: Iterable[Hashes]) -> NDArray[np.int64]:
    """For each piece, the longest run of bars that occurs in one training piece; silent bars count."""
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
    """The hashes of the bars of training pieces, without the count-in."""
    for codes, _ in pieces:
        steps = read_header(int(codes[0, METER_PLACE]), Header()).steps
        yield bar_hashes(np.split(codes[1:], range(steps, codes.shape[1], steps), axis=1)[1:])
