"""The codes that occur, numbered anew: a model of 2048 codes a stream would spend most of its weights on none."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.codes import NOTHING

Codes = NDArray[np.int64]

# Codes a stream, so that weights and sample bank stay below 24 MB. The rarest are left out (one chord in 150); where
# one stood, nothing new happens. One that occurs less often than `RARE` is not learnt, and left out anyway.
CARD = 920
RARE = 3


@dataclass(frozen=True)
class Alphabet:
    """For each stream the score's codes in the order of the model's. The first one is always `NOTHING`."""

    streams: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, pieces: Iterable[Codes], card: int = CARD) -> "Alphabet":
        """The most frequent codes of `pieces`, each of shape [streams, steps]: at most `card` a stream."""
        counts: list[dict[int, int]] = []
        for codes in pieces:
            counts = counts or [{} for _ in codes]
            for count, row in zip(counts, codes, strict=True):
                for code, times in zip(*np.unique(row, return_counts=True), strict=True):
                    count[int(code)] = count.get(int(code), 0) + int(times)
        return cls(tuple((NOTHING, *sorted(_most_frequent(count, card - 1))) for count in counts))

    @property
    def card(self) -> int:
        """Codes of the largest stream."""
        return max(map(len, self.streams))

    def number(self, codes: Codes) -> NDArray[np.int16]:
        """The model's codes for the score's."""
        numbered = np.zeros(codes.shape, np.int16)
        for stream, row in enumerate(codes):
            table = np.zeros(max(int(row.max()), max(self.streams[stream])) + 1, np.int16)
            table[list(self.streams[stream])] = np.arange(len(self.streams[stream]))
            numbered[stream] = table[row]
        return numbered


def _most_frequent(count: dict[int, int], most: int) -> list[int]:
    known = [code for code, times in count.items() if times >= RARE and code != NOTHING]
    return sorted(known, key=lambda code: (-count[code], code))[:most]
