"""Chooses the captions to play: a random set, and more until each row of the table has enough."""

from collections.abc import Callable
from itertools import count

from training.music import Piece, Spec, make_piece

SLOWEST, FASTEST = 60, 180

# The captions that count in each row.
ASKED: dict[str, Callable[[Spec], bool]] = {
    "tempo": lambda spec: asks_tempo(spec),
    "drums": lambda spec: spec.drums is not None,
    "solo": lambda spec: spec.solo,
    "instruments": lambda spec: bool(spec.instruments),
    "key": lambda spec: spec.key is not None,
    "genre": lambda spec: spec.genre is not None,
    "mood": lambda spec: spec.mood is not None,
}


def asks_tempo(spec: Spec) -> bool:
    """Whether the caption names a tempo that can be measured in the audio."""
    return spec.bpm is not None and SLOWEST <= spec.bpm <= FASTEST


def draw_cases(captions: int, at_least: dict[str, int], level: int = 1) -> list[Piece]:
    """The first pieces of the test split, then more until each row has enough.

    Args:
        captions: number of pieces to take unconditionally.
        at_least: number of pieces that each row of `ASKED` needs.
        level: of the scores; the captions are those of the first level.
    """
    chosen: list[Piece] = []
    missing = dict(at_least)
    for seed in count():
        piece = make_piece(seed, "test", level, stated=1)
        helps = [row for row, left in missing.items() if left > 0 and ASKED[row](piece.spec)]
        if seed >= captions and not any(left > 0 for left in missing.values()):
            return chosen
        if seed < captions or helps:
            chosen.append(piece)
            for row in missing:
                missing[row] -= ASKED[row](piece.spec)
    raise AssertionError
