"""Draws codes from a grammar as the decoder does, without a model: what it would like to say is given."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from worker.engine.batching.layout import DelayPattern
from worker.engine.sampler.codes import CODEBOOK_SIZE, Codes
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score_grammar import CodeLimits, ScoreGrammar

BOOKS = len(Stream)
PATTERN = DelayPattern(tuple(range(BOOKS)))
CPU = torch.device("cpu")
# Called with the frame of each codebook, int64 of shape [codebooks]; gives logits of shape [codebooks, codes].
Wish = Callable[[Tensor], Tensor]


def draw(
    wishes: list[Wish],
    frames: int,
    limits: list[CodeLimits | None] | None = None,
    window: int | None = None,
    level: int = 1,
) -> list[Codes]:
    """The likeliest codes of several pieces at once, each in its slot: int64 of shape [codebooks, frames].

    With `window`, each stretch of so many frames begins with the last 40% of the one before.
    """
    slots = torch.arange(len(wishes))
    grammar = ScoreGrammar(len(wishes), CPU, level)
    for slot, limit in enumerate(limits or [None] * len(wishes)):
        grammar.begin(slot, limit)
    made = torch.zeros(len(wishes), BOOKS, 0, dtype=torch.int64)
    while made.shape[2] < frames:
        given = 0 if made.shape[2] == 0 else int(0.4 * (window or 0))
        length = min(window or frames, frames - made.shape[2] + given)
        made = torch.cat([made, _window(grammar, slots, wishes, made, given, length)], 2)
    return [piece.numpy() for piece in made]


def _window(grammar: ScoreGrammar, slots: Tensor, wishes: list[Wish], made: Tensor, given: int, length: int) -> Tensor:
    """The codes of a window that follow those that are given."""
    books = torch.arange(BOOKS)
    before = made.shape[2] - given
    sequence = torch.full((len(slots) + 1, BOOKS, PATTERN.steps(length)), CODEBOOK_SIZE)
    for book in range(BOOKS):
        start = PATTERN.step_of(0, book)
        sequence[:-1, book, start : start + given] = made[:, book, before:]
    for step in range(given + 1, PATTERN.steps(length)):
        position = torch.full((len(slots),), step)
        frame = step - 1 - books
        kept = ((frame >= given) & (frame < length)).expand(len(slots), -1)
        logits = torch.stack([wish(frame + before) for wish in wishes])
        grammar.restrict(slots, logits)
        codes = grammar.revise(slots, logits.argmax(-1), kept, sequence, position)
        sequence[slots, :, step] = torch.where(kept, codes, sequence[slots, :, step])
    rows = [sequence[:-1, book, PATTERN.step_of(given, book) : PATTERN.step_of(length, book)] for book in range(BOOKS)]
    return torch.stack(rows, 1)


def random_wish(seed: int) -> Wish:
    """Anything at all."""
    source = torch.Generator().manual_seed(seed)
    return lambda frame: torch.rand(BOOKS, CODEBOOK_SIZE, generator=source)


def scripted(codes: Codes) -> Wish:
    """What some codes say; nothing after them."""
    script = np.pad(codes, ((0, 0), (0, 1)))

    def wish(frame: Tensor) -> Tensor:
        wanted = script[np.arange(BOOKS), frame.clamp(0, codes.shape[1]).numpy()]
        logits = torch.rand(BOOKS, CODEBOOK_SIZE, generator=torch.Generator().manual_seed(0))
        logits[torch.arange(BOOKS), torch.from_numpy(wanted)] = 9.0
        return logits

    return wish
