"""A seed is a piece, wherever and whenever it is made."""

import random
import subprocess
import sys
from itertools import pairwise

import pytest

from gateway.prompts import VOCABULARY
from training.music import Piece, make_piece
from training.music.random_spec import draw_spec
from training.music.spec import Spec
from worker.engine.sampler.codes import decode, encode

_PRINT = """
from training.music import make_piece
from worker.engine.sampler.codes import encode
for piece in map(make_piece, range(30)):
    print(piece.caption, piece.spec, encode(piece.score).tolist())
"""


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    return [make_piece(seed) for seed in range(1000)]


def test_a_seed_gives_the_same_piece_in_every_process() -> None:
    environments = [{"PYTHONHASHSEED": seed, "PYTHONPATH": "."} for seed in ("1", "2")]
    first, second = (
        subprocess.run([sys.executable, "-c", _PRINT], env=env, capture_output=True, check=True).stdout
        for env in environments
    )
    assert first
    assert first == second
    assert make_piece(5) == make_piece(5)


def test_seeds_and_splits_give_different_pieces() -> None:
    pieces = [make_piece(seed, split) for seed in range(50) for split in ("train", "test")]
    assert all(one != other for one, other in pairwise(pieces))


def test_every_piece_can_be_coded_and_is_the_same_when_decoded(pieces: list[Piece]) -> None:
    for piece in pieces[:200]:
        assert decode(encode(piece.score)) == piece.score


@pytest.mark.parametrize("seed", [11022, 31979])
def test_fills_longer_than_a_waltzs_bar_and_bells_in_high_keys_stay_in_range(seed: int) -> None:
    make_piece(seed)


def test_something_is_always_asked_for(pieces: list[Piece]) -> None:
    assert all(piece.caption and piece.spec != Spec() for piece in pieces)


def test_pieces_are_between_8_bars_and_one_window_of_the_model(pieces: list[Piece]) -> None:
    assert all(len(piece.score.sections) - 1 >= 8 and piece.score.steps <= 768 for piece in pieces)


def test_what_is_asked_for_holds(pieces: list[Piece]) -> None:
    ranges = {tempo.name: range(tempo.bpm_min, tempo.bpm_max + 1) for tempo in VOCABULARY.tempos}
    for spec, header in ((piece.spec, piece.score.header) for piece in pieces):
        assert spec.bpm in (None, header.bpm)
        assert spec.tempo_word is None or header.bpm in ranges[spec.tempo_word]
        assert spec.key is None or (spec.key, spec.minor) == (header.key, header.minor)
        assert spec.beats in (None, header.beats)


def test_within_5000_pieces_everything_is_asked_for() -> None:
    specs = [draw_spec(random.Random(2 * seed)) for seed in range(5000)]
    assert {spec.genre for spec in specs} == {None, *(genre.name for genre in VOCABULARY.genres)}
    assert {spec.mood for spec in specs} == {None, *VOCABULARY.moods}
    assert {spec.tempo_word for spec in specs} == {None, *(tempo.name for tempo in VOCABULARY.tempos)}
    assert {name for spec in specs for name in spec.instruments} == set(VOCABULARY.instruments)
    assert {(spec.key, spec.minor) for spec in specs} == {
        (None, None),
        *((key, minor) for key in range(12) for minor in (False, True)),
    }
    assert {spec.bpm for spec in specs} >= {None, *range(40, 201)}
    assert {spec.beats for spec in specs} == {None, 3, 4}
    assert {spec.drums for spec in specs} == {spec.bass for spec in specs} == {None, True, False}
