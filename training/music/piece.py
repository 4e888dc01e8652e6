"""A captioned piece."""

import random
from dataclasses import dataclass
from typing import Literal

from training.music.captions import write_caption
from training.music.plan import make_plan
from training.music.request import draw_spec
from training.music.spec import Spec
from training.music.writing import write_score
from worker.engine.sampler.score import Score

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Piece:
    """What was asked for, in words and in fields, and the music."""

    caption: str
    spec: Spec
    score: Score


def make_piece(seed: int, split: Split = "train") -> Piece:
    """The piece of a seed, the same everywhere. The splits word their captions differently, and share no piece."""
    source = random.Random(2 * seed + (split == "test"))  # noqa: S311
    spec = draw_spec(source)
    # Other words for the same music change the caption alone.
    caption = write_caption(spec, split, random.Random(f"{split} {seed}"))  # noqa: S311
    return Piece(caption, spec, write_score(make_plan(spec, source), source))
