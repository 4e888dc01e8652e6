from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.evaluation.pieces import encode, heard, played, transposed, unheard, written
from training.evaluation.coherence import coherence_figures, constancy_figures
from training.evaluation.performance import Performance, bars
from training.music import Spec, make_piece
from worker.engine.sampler.conductor import METER, TEMPO
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Note

SPEC = Spec(genre="pop", bpm=120)


@pytest.fixture(scope="module")
def good() -> Performance:
    return heard(SPEC, written(SPEC))


def spoiled(good: Performance, figure: str) -> None:
    figures = coherence_figures(good)
    assert figures[figure] == figures["holds together"] == 0.0


def test_the_generator_s_pieces_hold_together() -> None:
    pieces = [make_piece(seed, "test") for seed in range(12)]
    for piece in pieces:
        assert coherence_figures(heard(piece.spec, piece.score))["holds together"] == 1.0, piece.caption


def test_a_note_without_a_stop_is_stuck(good: Performance) -> None:
    score = good.score
    events = {**score.events, Stream.LEAD: {40: Note("flute", 70)}}
    spoiled(replace(good, codes=encode(replace(score, events=events))), "no stuck notes")


def test_one_bar_over_and_over_does_not_change(good: Performance) -> None:
    bar = good.codes[:, 48:64]
    spoiled(replace(good, codes=np.tile(bar, 15)), "bars change")


def test_noise_never_comes_again(good: Performance) -> None:
    codes = good.codes.copy()
    rng = np.random.default_rng(0)
    codes[1:] = np.where(rng.random(codes[1:].shape) < 0.5, 0, rng.integers(2, 900, codes[1:].shape))
    spoiled(replace(good, codes=codes), "bars come again")


def test_silence_for_longer_than_a_bar_is_noticed(good: Performance) -> None:
    audio = good.audio.copy()
    audio[:, 320_000 : 320_000 + 75_000] = 0
    spoiled(replace(good, audio=audio), "no silence over a bar")


def test_a_piece_that_is_cut_off_does_not_end_quietly(good: Performance) -> None:
    spoiled(replace(good, audio=good.audio[:, : 20 * 32_000]), "ends quietly")


def test_long_pieces_stay_where_they_are() -> None:
    score = written(Spec(genre="pop", bpm=120, key=0, minor=False))
    assert constancy_figures(unheard(SPEC, score)) == {
        "long: in tempo": 1.0,
        "long: in key": 1.0,
        "long: in tempo and key": 1.0,
    }


def test_a_key_that_slips_away_is_noticed() -> None:
    score = written(Spec(genre="pop", bpm=120, key=0, minor=False))
    drifted = transposed(score, 1, first=3 * score.steps // 4)
    figures = constancy_figures(Performance(SPEC, encode(drifted), np.zeros((2, 0), np.float32)))
    assert figures["long: in key"] == figures["long: in tempo and key"] == 0.0


def test_a_tempo_that_slips_away_is_noticed() -> None:
    codes = encode(written(SPEC))
    late = codes[Stream.CONDUCTOR, 320:]
    late[(late >= TEMPO) & (late < METER)] += 6
    figures = constancy_figures(played(SPEC, codes, 1.0))
    assert figures["long: in tempo"] == figures["long: in tempo and key"] == 0.0


def test_bars_begin_where_the_conductor_says() -> None:
    codes = encode(written(Spec(genre="classical", beats=3)))
    assert {bar.shape for bar in bars(codes)} == {(7, 12)}
    assert len(bars(codes[:, : 12 + 30])) == 2
