from dataclasses import replace

import pytest

from tests.unit.training.evaluation.pieces import own_pieces, unheard, written
from training.evaluation.style_classifier import StyleMeasure
from training.music import Spec, make_piece


@pytest.fixture(scope="module")
def styles() -> StyleMeasure:
    return StyleMeasure(own_pieces(800))


def test_genres_of_unseen_pieces_are_recognised_moods_above_chance(styles: StyleMeasure) -> None:
    pieces = [make_piece(seed, "test") for seed in range(300)]
    found = [styles(unheard(piece.spec, piece.score)) for piece in pieces]
    for field, least in (("genre", 0.7), ("mood, among three", 2 * 3 / 18)):
        right = [figures[field] for figures in found if field in figures]
        assert sum(right) > least * len(right), field


def test_another_genre_is_wrong(styles: StyleMeasure) -> None:
    for genre, other in (("techno", "jazz"), ("metal", "classical"), ("reggae", "house")):
        performance = unheard(Spec(genre=genre), written(Spec(genre=genre)))
        assert styles(performance) == {"genre": 1.0}
        assert styles(replace(performance, spec=Spec(genre=other))) == {"genre": 0.0}
