from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.evaluation.pieces import heard, written
from training.evaluation.performance import Performance
from training.evaluation.tempo import comb_tempo, tempo_figures
from training.music import Spec

RATE = 32_000
RIGHT = {"tempo, conductor": 1.0, "tempo, audio": 1.0}
WRONG = {"tempo, conductor": 0.0, "tempo, audio": 0.0}


@pytest.mark.parametrize("bpm", [63, 97, 128, 174])
def test_the_generator_s_tempo_is_heard(bpm: int) -> None:
    spec = Spec(genre="pop", bpm=bpm)
    assert tempo_figures(heard(spec, written(spec))) == RIGHT


@pytest.mark.parametrize("asked", [118, 122, 90])
def test_another_tempo_than_the_one_asked_for_is_wrong(asked: int) -> None:
    spec = Spec(genre="rock", bpm=120)
    performance = heard(spec, written(spec))
    assert tempo_figures(replace(performance, spec=Spec(bpm=asked))) == WRONG


def test_the_audio_is_believed_on_its_own() -> None:
    spec = Spec(genre="house", bpm=120)
    right, wrong = heard(spec, written(spec)), heard(spec, written(replace(spec, bpm=131)))
    mixed = Performance(spec, right.codes, wrong.audio)
    assert tempo_figures(mixed) == {"tempo, conductor": 1.0, "tempo, audio": 0.0}


def test_nothing_is_said_where_no_tempo_is_asked_for() -> None:
    performance = heard(Spec(genre="pop"), written(Spec(genre="pop")), 2.0)
    assert tempo_figures(performance) == {}
    assert tempo_figures(replace(performance, spec=Spec(bpm=45))) == {}


def test_clicks_are_counted() -> None:
    audio = np.zeros((2, 20 * RATE), np.float32)
    starts = (np.arange(0, 19, 60 / 103) * RATE).astype(int)
    for start in starts:
        audio[:, start : start + 400] = np.random.default_rng(0).normal(0, 0.1, (2, 400))
    assert comb_tempo(audio) == pytest.approx(103, rel=0.005)
