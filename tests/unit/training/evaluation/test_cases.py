from training.evaluation.cases import ASKED, draw_cases
from training.music import make_piece


def test_the_first_captions_come_as_they_are_and_every_row_has_enough() -> None:
    wanted = {"tempo": 20, "solo": 5, "key": 10}
    cases = draw_cases(30, wanted)
    assert cases[:30] == [make_piece(seed, "test") for seed in range(30)]
    for row, least in wanted.items():
        assert sum(ASKED[row](piece.spec) for piece in cases) >= least
    assert draw_cases(30, wanted) == cases


def test_nothing_is_played_that_helps_no_row() -> None:
    extra = draw_cases(0, {"solo": 3})
    assert len(extra) == 3
    assert all(piece.spec.solo for piece in extra)
