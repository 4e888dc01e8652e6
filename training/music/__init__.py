"""Generates captioned pieces to train the starter on: the music by rules, the captions from templates."""

from training.music.captions import Split
from training.music.piece import Piece, make_piece
from training.music.spec import Spec

__all__ = ["Piece", "Spec", "Split", "make_piece"]
