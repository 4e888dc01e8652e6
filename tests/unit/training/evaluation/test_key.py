import pytest

from tests.unit.training.evaluation.pieces import own_pieces, transposed, unheard, written
from training.evaluation.key import KeyFinder, evidence
from training.music import Spec, make_piece
from worker.engine.sampler.score import Header, Score, Section


@pytest.fixture(scope="module")
def keys() -> KeyFinder:
    return KeyFinder(own_pieces(800))


def test_keys_of_pieces_never_seen_are_found(keys: KeyFinder) -> None:
    pieces = [make_piece(seed, "test") for seed in range(150)]
    found = [keys(unheard(piece.spec, piece.score)) for piece in pieces if piece.spec.key is not None]
    right = [figures["key, notes"] for figures in found if figures]
    assert len(right) > 20
    assert sum(right) > 0.8 * len(right)


@pytest.mark.parametrize("semitones", [1, 5, 6])
def test_notes_in_another_key_are_wrong_whatever_the_conductor_says(keys: KeyFinder, semitones: int) -> None:
    spec = Spec(genre="pop", key=2, minor=False)
    score = written(spec)
    assert keys(unheard(spec, score)) == {"key, conductor": 1.0, "key, notes": 1.0}
    assert keys(unheard(spec, transposed(score, semitones))) == {"key, conductor": 1.0, "key, notes": 0.0}


def test_the_other_mode_is_wrong(keys: KeyFinder) -> None:
    minor = written(Spec(genre="pop", key=9, minor=True))
    assert keys(unheard(Spec(key=9, minor=False), minor)) == {"key, conductor": 0.0, "key, notes": 0.0}


def test_unpitched_solos_have_no_key_figure(keys: KeyFinder) -> None:
    spec = Spec(instruments=("drums",), key=4, minor=True, drums=True, solo=True)
    assert keys(unheard(spec, written(spec))) == {}


def test_no_notes_are_no_evidence() -> None:
    assert not evidence(Score(Header(), (Section.VERSE,), 16)).any()
