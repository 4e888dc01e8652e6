"""Which codes a child keeps, and which are composed."""

from fractions import Fraction

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from shared.edits import StoredScore
from tests.unit.worker.engine.sampler.old_scores import HEADER, edit, stored
from worker.engine.sampler.clock import step_length
from worker.engine.sampler.codes import STOP
from worker.engine.sampler.draft import CANDIDATES, FOLLOWING, Draft, make_draft
from worker.engine.sampler.held_codes import COMPOSED
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Header
from worker.engine.sampler.stored_score import OldScore, store_score

BAR = HEADER.steps
STEP = step_length(Fraction(120))
PLAYED = list(Stream)[1:]
LONG = round(20 * BAR * STEP)


def draft(score: StoredScore | None = None, samples: int = LONG, seed: int = 1, **fields: object) -> Draft:
    made = edit(score, **fields)
    return make_draft(made, OldScore.read(made.known_score), samples, seed)


def composed(made: Draft) -> NDArray[np.bool_]:
    return np.asarray(made.held == COMPOSED)


def test_bars_to_replace_are_composed_in_all_streams_and_the_conductor_stays() -> None:
    made = draft(kind="replace", from_bar=3, to_bar=4)
    expected = np.zeros_like(composed(made))
    # The count-in is the first bar of codes.
    expected[PLAYED, 3 * BAR : 5 * BAR] = True
    # The song's melody pauses at the end of every bar.
    expected[Stream.LEAD, 5 * BAR - 1] = composed(made)[Stream.LEAD, 5 * BAR - 1]
    assert (composed(made) == expected).all()


def test_only_named_streams_are_composed() -> None:
    made = draft(kind="replace", from_bar=1, to_bar=8, streams=("bass", "drums"))
    assert set(np.flatnonzero(composed(made).any(1))) == {Stream.BASS, Stream.DRUMS}


def test_what_follows_rates_the_candidates_and_the_rest_is_left_out() -> None:
    made = draft(kind="replace", from_bar=2, to_bar=2)
    assert made.counted == range(3 * BAR, (3 + FOLLOWING) * BAR)
    assert (made.frames, made.candidates) == (made.counted.stop, CANDIDATES)


def test_the_last_bars_have_one_candidate_because_nothing_follows() -> None:
    made = draft(kind="replace", from_bar=7, to_bar=8)
    assert (made.frames, made.candidates, len(made.counted)) == (9 * BAR, 1, 0)


def test_a_composed_part_ends_with_a_stop_where_the_parent_is_silent_after_it() -> None:
    codes = OldScore.read(stored()).codes.copy()
    codes[Stream.LEAD, 4 * BAR :] = 0
    codes[Stream.LEAD, 4 * BAR] = STOP
    made = draft(store_score(codes, Fraction(120), 1, caption=""), kind="replace", from_bar=5, to_bar=6)
    assert made.held[Stream.LEAD, 7 * BAR - 1] == STOP
    assert made.held[Stream.BASS, 7 * BAR - 1] == COMPOSED


@pytest.mark.parametrize(("first", "last"), [(9, 9), (3, 2)])
def test_bars_that_do_not_exist_are_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="no such bars"):
        draft(kind="replace", from_bar=first, to_bar=last)


def test_added_bars_follow_with_the_same_players_and_free_sections() -> None:
    made = draft(samples=round(12 * BAR * STEP), kind="extend", at="end")
    old = OldScore.read(stored())
    assert (made.held[:, : old.length] == old.codes).all()
    new = made.held[:, old.length :]
    assert new.shape == (8, 4 * BAR)
    assert (new[PLAYED] == COMPOSED).all()
    assert set(np.flatnonzero(new[Stream.CONDUCTOR] == COMPOSED)) == {3, 3 + BAR, 3 + 2 * BAR, 3 + 3 * BAR}
    rest = np.delete(new[Stream.CONDUCTOR, :BAR], 3)
    assert (rest == np.delete(old.codes[Stream.CONDUCTOR, -BAR:], 3)).all()


def test_a_bar_that_was_cut_short_is_completed() -> None:
    codes = OldScore.read(stored()).codes[:, : 8 * BAR + 5]
    score = store_score(codes, Fraction(120), round((7 * BAR + 5) * STEP), caption="")
    made = draft(score, samples=round(9 * BAR * STEP), kind="extend", at="end")
    assert made.part == range(8 * BAR + 5, 10 * BAR)
    conductor = made.held[Stream.CONDUCTOR]
    assert (conductor[8 * BAR + 5 : 9 * BAR] == conductor[7 * BAR + 5 : 8 * BAR]).all()


def test_bars_in_front_shift_the_old_ones_and_keep_their_numbers() -> None:
    made = draft(samples=round(10 * BAR * STEP), kind="extend", at="start")
    old = OldScore.read(stored())
    assert made.part == range(BAR, 3 * BAR)
    assert (made.held[:, 3 * BAR :] == old.codes[:, BAR:]).all()
    assert (made.held[:, :BAR] == old.codes[:, :BAR]).all()
    assert made.first_step == -2 * BAR


def test_an_extension_by_nothing_is_refused() -> None:
    for at in ("start", "end"):
        with pytest.raises(ValueError, match="no longer"):
            draft(samples=round(8 * BAR * STEP), kind="extend", at=at)


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_a_variation_composes_its_share_of_bars_and_streams(strength: float) -> None:
    made = draft(kind="vary", strength=strength)
    cells = composed(made)[1:, BAR:].reshape(7, 8, BAR).any(2)
    assert cells.sum() == round(strength * 56)
    assert not composed(made)[Stream.CONDUCTOR].any()
    assert made.candidates == (1 if strength else 0)


def test_the_seed_chooses_what_a_variation_composes() -> None:
    first, again, other = (composed(draft(kind="vary", strength=0.3, seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_completed_child_has_all_held_codes() -> None:
    made = draft(kind="replace", from_bar=3, to_bar=4)
    silent = np.zeros((8, made.frames), np.int64)
    codes = made.complete(silent)
    assert (codes[~composed(made)] == made.held[~composed(made)]).all()
    assert not codes[PLAYED][:, 3 * BAR : 5 * BAR].any()


def test_a_note_that_would_sound_for_too_long_ends_with_the_composed_part() -> None:
    """The proofreader releases notes after four bars, and would change codes that are held."""
    codes = OldScore.read(stored(12)).codes.copy()
    codes[Stream.PAD, 7 * BAR + 1 : 11 * BAR] = 0
    score = store_score(codes, Fraction(120), 1, caption="")
    made = draft(score, kind="replace", from_bar=7, to_bar=7)
    silent = np.zeros((8, made.frames), np.int64)
    found = made.complete(silent)
    assert (found[~composed(made)] == made.held[~composed(made)]).all()
    assert found[Stream.PAD, 8 * BAR - 1] == STOP


def test_other_meters_have_other_bars() -> None:
    header = Header(bpm=120, beats=6, unit=8)
    made = draft(stored(8, header), kind="replace", from_bar=2, to_bar=2)
    assert made.part == range(24, 36)


def test_a_score_without_a_bar_is_refused() -> None:
    score = store_score(OldScore.read(stored()).codes[:, :7], Fraction(120), 1, caption="")
    with pytest.raises(ValueError, match="no bar"):
        OldScore.read(score)


def test_a_score_that_is_longer_than_the_child_is_refused() -> None:
    """Only a client can send one."""
    with pytest.raises(ValueError, match="longer than the child"):
        draft(samples=round(7 * BAR * STEP), kind="replace", from_bar=1, to_bar=1)
    with pytest.raises(ValueError, match="longer than the child"):
        draft(replace(stored(), samples=2**31), kind="vary", strength=0.0)


@pytest.mark.parametrize("tempo", ["1", "100000"])
def test_a_tempo_that_is_not_played_is_refused(tempo: str) -> None:
    with pytest.raises(ValueError, match="BPM"):
        OldScore.read(replace(stored(), tempo=tempo))
