"""Whether music is new: the longest run of bars that is the same in a piece of the training data."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from training.alphabet import Alphabet
from worker.engine.sampler.codes import CARD, Codes
from worker.engine.sampler.conductor import read_header

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


def training_hashes(pieces: Iterable[tuple[Codes, str]], alphabet: Alphabet) -> Iterable[Hashes]:
    """The bars of training pieces, as a model knows them: without codes that its alphabet lacks."""
    known = np.zeros((len(alphabet.streams), CARD), np.int64)
    for row, stream in zip(known, alphabet.streams, strict=True):
        row[list(stream)] = stream
    for codes, _ in pieces:
        steps = read_header(codes[0, :2]).steps
        heard = np.take_along_axis(known, codes, axis=1)[1:]
        yield bar_hashes(np.split(heard, range(steps, heard.shape[1], steps), axis=1))
