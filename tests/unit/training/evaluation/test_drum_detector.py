from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.evaluation.pieces import heard, written
from training.evaluation.drum_detector import DrumDetector, log_mel
from training.evaluation.instrumentation import BEATS
from training.evaluation.playing import play_own, play_without_beats
from training.music import Spec, make_piece

SECONDS = 5.0


@pytest.fixture(scope="module")
def beats() -> DrumDetector:
    pieces = [make_piece(seed) for seed in range(60)]
    own = [play_own(piece, SECONDS) for piece in pieces]
    beatless = [
        play_without_beats(piece, SECONDS) for piece, played in zip(pieces, own, strict=True) if played.heard & BEATS
    ]
    known = [*own, *beatless]
    return DrumDetector([log_mel(each.audio) for each in known], [bool(each.heard & BEATS) for each in known])


@pytest.mark.parametrize(("drums", "genre"), [(True, "house"), (False, "house"), (True, "rock"), (False, "rock")])
def test_they_are_heard_in_the_audio(beats: DrumDetector, drums: bool, genre: str) -> None:
    spec = Spec(genre=genre, bpm=120, drums=drums)
    performance = heard(spec, written(spec), 20.0)
    assert beats(performance) == {"drums or none, audio": 1.0}
    assert beats(replace(performance, spec=replace(spec, drums=not drums))) == {"drums or none, audio": 0.0}


def test_a_piece_that_asks_for_none_and_forbids_none_has_no_figure(beats: DrumDetector) -> None:
    spec = Spec(genre="house")
    assert beats(heard(spec, written(spec), 2.0)) == {}


def test_a_piece_without_its_beat_is_the_same_without_it() -> None:
    piece = next(piece for piece in map(make_piece, range(100)) if play_own(piece, SECONDS).heard & BEATS)
    whole, beatless = play_own(piece, SECONDS), play_without_beats(piece, SECONDS)
    assert beatless.heard == whole.heard - BEATS
    assert np.abs(beatless.audio).max() > 0
    assert not np.array_equal(beatless.audio, whole.audio[:, : beatless.audio.shape[1]])


def test_a_louder_piece_looks_the_same() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (2, 32_000)).astype(np.float32)
    assert np.allclose(log_mel(noise), log_mel(4 * noise), atol=1e-3)
