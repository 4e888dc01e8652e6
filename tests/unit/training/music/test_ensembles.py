"""Named instruments play, refused ones do not, and few others join."""

import random

import pytest

from gateway.prompts import VOCABULARY
from tests.unit.training.music.specs import written
from training.music.listening import heard
from training.music.random_spec import draw_spec
from training.music.spec import Spec
from worker.engine.sampler.instruments import HIT_STREAMS, Stream

DRUMS = {"drums", "drum machine"}


@pytest.fixture(scope="module")
def requests() -> list[Spec]:
    source = random.Random(7)
    return [draw_spec(source) for _ in range(800)]


def test_whoever_is_named_is_heard(requests: list[Spec]) -> None:
    for seed, spec in enumerate(requests):
        _, score = written(spec, seed)
        assert set(spec.instruments) <= heard(score), spec


def test_two_named_instruments_and_soloists_get_no_guests(requests: list[Spec]) -> None:
    for seed, spec in enumerate(requests):
        if spec.solo or len(spec.instruments) > 1:
            plan, score = written(spec, seed)
            asked = set(plan.ensemble.guests)
            assert heard(score) <= {*spec.instruments, *asked}, spec
            assert not asked or spec.drums or spec.bass


def test_a_single_named_instrument_has_at_most_two_guests(requests: list[Spec]) -> None:
    for seed, spec in enumerate(requests):
        if len(spec.instruments) == 1:
            plan, score = written(spec, seed)
            assert heard(score) <= {*spec.instruments, *plan.ensemble.guests}
            assert len(plan.ensemble.guests) <= 2


def test_without_named_instruments_the_genres_usual_ones_play() -> None:
    for genre in VOCABULARY.genres:
        plan, score = written(Spec(genre=genre.name))
        assert set(genre.instruments) <= heard(score) <= {*genre.instruments, *plan.style.extras}


@pytest.mark.parametrize("genre", [genre.name for genre in VOCABULARY.genres])
def test_no_drums_and_no_bass_leave_their_streams_empty(genre: str) -> None:
    for seed in range(10):
        _, score = written(Spec(genre=genre, drums=False), seed)
        assert not DRUMS & heard(score)
        assert Stream.DRUMS not in score.events
        _, score = written(Spec(genre=genre, bass=False), seed)
        assert Stream.BASS not in score.events


@pytest.mark.parametrize("genre", [genre.name for genre in VOCABULARY.genres])
def test_drums_and_bass_come_when_they_are_asked_for(genre: str) -> None:
    _, score = written(Spec(genre=genre, drums=True, bass=True, instruments=("piano", "strings")))
    assert {Stream.DRUMS, Stream.BASS} <= set(score.events)
    assert DRUMS & heard(score)


def test_a_pianist_alone_has_chords_or_arpeggios_and_a_melody() -> None:
    for seed in range(20):
        _, score = written(Spec(instruments=("piano",), solo=True), seed)
        assert heard(score) == {"piano"}
        assert Stream.LEAD in score.events
        assert {Stream.CHORDS, Stream.ARPEGGIO} & set(score.events)


def test_drums_alone_are_drums_alone() -> None:
    for seed in range(20):
        _, score = written(Spec(instruments=("drums",), drums=True, solo=True), seed)
        assert heard(score) == {"drums"}
        assert set(score.events) <= set(HIT_STREAMS)


@pytest.mark.parametrize("name", VOCABULARY.instruments)
def test_every_instrument_can_be_alone(name: str) -> None:
    _, score = written(Spec(instruments=(name,), solo=True))
    assert heard(score) == {name}
