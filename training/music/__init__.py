"""Endless captioned pieces to train the starter on: music by rule, words by template."""

from training.music.piece import Piece, Split, make_piece
from training.music.spec import Spec

__all__ = ["Piece", "Spec", "Split", "make_piece"]
