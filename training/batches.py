"""Holds all pieces in memory, and draws batches of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import T5Tokenizer

from training.data import read_shards
from training.model import OPENING, Shape, delayed
from training.text_encoder import UNKNOWN, lower_case, strange_words

# Classifier-free guidance needs some training without captions (Ho and Salimans 2022).
WITHOUT_TEXT = 0.15
# Excerpts from the middle of pieces train the windows after the first.
FROM_THE_MIDDLE = 0.15
FRAMES = 4096
# Users write words that no caption has. This share of captions gets an invented word; otherwise the model takes unknown
# words for misspelt moods, the only unknown words in the captions.
STRANGE = 0.35
STRANGERS = 20_000


@dataclass(frozen=True)
class TrainingBatch:
    """A batch of excerpts.

    Attributes:
        sequence: codes in the delay pattern, int64 of shape [batch, codebooks, steps].
        tokens: tokens of the captions, int64 of shape [batch, tokens]; 0 is padding.
        opens: whether an excerpt begins at its piece's beginning, bool of shape [batch].
    """

    sequence: Tensor
    tokens: Tensor
    opens: Tensor


class TrainingPieces:
    """The training pieces.

    Batches mix pieces of all lengths. All pieces last about as long, so pieces with as many steps have the same tempo,
    and a batch of them would teach nothing about the caption's tempo.
    """

    def __init__(self, folder: Path, tokenizer: T5Tokenizer, shape: Shape) -> None:
        """Read the shards.

        Raises:
            ValueError: if the tokenizer does not know a character of a caption.
        """
        self._shape = shape
        self._codes: list[NDArray[np.int16]] = []
        captions = []
        for codes, caption in read_shards(folder):
            self._codes.append(codes.astype(np.int16))
            captions.append(caption)
        self._tokens: list[list[int]] = tokenizer(captions).input_ids
        lower = lower_case(tokenizer).tolist()
        unread = next((text for text, ids in zip(captions, self._tokens, strict=True) if UNKNOWN in ids), None)
        if unread is not None:
            raise ValueError(
                f"The tokenizer cannot read the caption {unread!r}: add its characters in training/text_encoder.py"
            )
        self._tokens = [[lower[token] for token in tokens] for tokens in self._tokens]
        self._strangers = strange_words(tokenizer, STRANGERS, np.random.default_rng(0))
        self._begins = [piece.startswith("▁") for piece in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))]

    def __len__(self) -> int:
        return len(self._codes)

    def used_tokens(self) -> set[int]:
        """Those that occur in captions and strange words, in lower case."""
        return set(chain.from_iterable((*self._tokens, *self._strangers)))

    def batches(
        self, rng: np.random.Generator, lengths: Mapping[int, int], first: int = 0, last: int | None = None
    ) -> Iterator[TrainingBatch]:
        """One epoch over the pieces from `first` to before `last`.

        Args:
            rng: what is drawn from.
            lengths: steps of a piece that a batch has at the most, and how many batches of a hundred have so many.
            first: see above.
            last: see above.
        """
        left = rng.permutation(np.arange(len(self))[first:last])
        shares = np.array([*lengths.values()]) / sum(lengths.values())
        while len(left):
            longest = int(rng.choice([*lengths], p=shares))
            members, left = np.split(left, [FRAMES // longest])
            yield self._batch(members, longest, rng)

    def _batch(self, members: NDArray[np.int64], longest: int, rng: np.random.Generator) -> TrainingBatch:
        starts = [self._start(member, longest, rng) for member in members]
        cut = [self._codes[member][:, at : at + longest] for member, at in zip(members, starts, strict=True)]
        padded = np.full((len(cut), self._shape.codebooks, max(each.shape[1] for each in cut)), self._shape.card)
        for row, codes in zip(padded, cut, strict=True):
            row[:, : codes.shape[1]] = codes
        tokens = [self._told(self._tokens[member], rng) for member in members]
        width = max(map(len, tokens))
        ids = torch.tensor([each + [0] * (width - len(each)) for each in tokens])
        ids[torch.from_numpy(rng.random(len(ids)) < WITHOUT_TEXT)] = 0
        return TrainingBatch(delayed(torch.from_numpy(padded), self._shape.card), ids, torch.tensor(starts) == 0)

    def _told(self, tokens: list[int], rng: np.random.Generator) -> list[int]:
        """A caption, perhaps with an invented word between two words or at the end."""
        if rng.random() >= STRANGE:
            return tokens
        places = [place for place, token in enumerate(tokens) if place and self._begins[token]]
        at = int(rng.choice([*places, len(tokens) - 1]))
        return [*tokens[:at], *self._strangers[rng.integers(len(self._strangers))], *tokens[at:]]

    def _start(self, member: np.int64, longest: int, rng: np.random.Generator) -> int:
        if longest <= OPENING or rng.random() >= FROM_THE_MIDDLE:
            return 0
        return int(rng.integers(self._codes[member].shape[1] // 2))
