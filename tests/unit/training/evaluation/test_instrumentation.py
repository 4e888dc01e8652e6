from dataclasses import replace

import pytest

from tests.unit.training.evaluation.pieces import own_pieces, unheard, written
from training.evaluation.instrumentation import InstrumentationMeasure
from training.music import Spec


@pytest.fixture(scope="module")
def instruments() -> InstrumentationMeasure:
    return InstrumentationMeasure(own_pieces(200))


def test_named_instruments_that_play_are_found(instruments: InstrumentationMeasure) -> None:
    spec = Spec(instruments=("piano", "flute"))
    assert instruments(unheard(spec, written(spec))) == {
        "named instruments are heard": 1.0,
        "no unrequested instruments": 1.0,
    }


def test_a_missing_instrument_costs_its_share(instruments: InstrumentationMeasure) -> None:
    played = Spec(instruments=("piano", "flute"))
    asked = Spec(instruments=("piano", "trumpet"))
    assert instruments(unheard(asked, written(played)))["named instruments are heard"] == 0.5


def test_company_is_no_solo(instruments: InstrumentationMeasure) -> None:
    alone = Spec(instruments=("piano",), solo=True)
    assert instruments(unheard(alone, written(alone)))["solo"] == 1.0
    company = instruments(unheard(alone, written(Spec(instruments=("piano", "flute")))))
    assert company["solo"] == company["no unrequested instruments"] == 0.0


def test_drums_come_only_where_they_are_wanted(instruments: InstrumentationMeasure) -> None:
    without, with_drums = Spec(genre="rock", drums=False), Spec(genre="rock", drums=True)
    for played in (without, with_drums):
        for asked in (without, with_drums):
            figures = instruments(unheard(asked, written(played)))
            assert figures["drums or none, events"] == float(played == asked)


def test_a_bass_that_was_refused_contradicts(instruments: InstrumentationMeasure) -> None:
    asked = Spec(genre="pop", bass=False)
    assert instruments(unheard(asked, written(asked)))["no unrequested instruments"] == 1.0
    assert instruments(unheard(asked, written(replace(asked, bass=None))))["no unrequested instruments"] == 0.0


def test_an_orchestra_is_too_many_for_two_names(instruments: InstrumentationMeasure) -> None:
    orchestra = written(Spec(genre="orchestral", instruments=("violin", "cello", "flute", "brass", "harp", "choir")))
    asked = Spec(instruments=("violin", "cello"))
    assert instruments(unheard(asked, orchestra))["no unrequested instruments"] == 0.0
