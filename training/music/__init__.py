"""Endless captioned pieces to train the starter on: music by rule, words by template."""

from training.music.captions import Split
from training.music.piece import Piece, make_piece
from training.music.spec import Spec

__all__ = ["Piece", "Spec", "Split", "make_piece"]
