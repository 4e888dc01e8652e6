"""The length and the grid of music that is made of a score."""

from typing import Any, get_args

import pytest

from gateway.jobs.grid import Grid
from gateway.jobs.played_grid import score_grid
from gateway.jobs.scores import FoundScore
from gateway.problems import FieldError, Problem
from gateway.schemas import GenerateRequest, ScoreRequest
from shared.note_score import KeyMark, MeterMark, NotePart, NoteScore, TempoMark, TimedNote
from shared.played_score import PlayedScore, ScoreAction

BAR = 4 * 480
AT_120 = TempoMark(0, 500_000)


def score(
    end: int = 2 * BAR,
    *,
    tempos: tuple[TempoMark, ...] = (AT_120,),
    meters: tuple[MeterMark, ...] = (MeterMark(0, 4, 4),),
    keys: tuple[KeyMark, ...] = (),
    file_end: int = 0,
) -> NoteScore:
    part = NotePart(channel=1, notes=(TimedNote(0, end, 60, 90),))
    return NoteScore(division=480, tempos=tempos, meters=meters, keys=keys, parts=(part,), end=file_end)


def grid(notes: NoteScore, action: ScoreAction = "play", most: float = 120.0, **fields: Any) -> Grid:
    request = GenerateRequest(score=ScoreRequest(sha256="0" * 64, action=action), **fields)
    return score_grid(request, FoundScore(PlayedScore(sha256="0" * 64, action=action), notes), most)


def refusal(notes: NoteScore, action: ScoreAction = "play", most: float = 120.0, **fields: Any) -> FieldError:
    with pytest.raises(Problem) as raised:
        grid(notes, action, most, **fields)
    assert raised.value.errors
    return raised.value.errors[0]


def test_the_last_notes_have_time_to_die_away() -> None:
    """Two bars of 2 s need a third one for 1.5 s."""
    assert grid(score()) == Grid(6.0, 3, 120.0, "4/4", None, loop=False)


def test_a_loop_has_the_bars_of_the_file() -> None:
    assert grid(score(), loop=True).bars == 2
    assert grid(score(file_end=4 * BAR), loop=True).bars == 4
    # Less than a 32nd of a bar beyond the bar line is a slip, more is another bar.
    assert grid(score(2 * BAR + BAR // 40), loop=True).bars == 2
    assert grid(score(2 * BAR + BAR // 20), loop=True).bars == 3


@pytest.mark.parametrize(
    "notes",
    [
        score(tempos=(AT_120, TempoMark(BAR, 400_000))),
        score(meters=(MeterMark(0, 4, 4), MeterMark(BAR, 3, 4))),
        score(tempos=(TempoMark(0, 200_000),)),
        score(meters=(MeterMark(0, 5, 32),)),
    ],
    ids=["two tempos", "two meters", "300 BPM", "5/32"],
)
def test_music_without_one_playable_tempo_and_meter_has_a_length_only(notes: NoteScore) -> None:
    found = grid(notes)
    assert (found.bars, found.bpm, found.meter) == (None, None, None)
    assert found.duration > 2
    assert refusal(notes, loop=True).field == "loop"
    assert refusal(notes, "continue", bars=8).field == "bars"


def test_changes_of_the_tempo_count_for_the_length() -> None:
    """A bar of 2 s, a bar of 1.6 s, and 1.5 s."""
    assert grid(score(tempos=(AT_120, TempoMark(BAR, 400_000)))).duration == pytest.approx(5.1)


def test_a_score_that_is_too_long_is_cut_and_a_loop_is_refused() -> None:
    long = score(20 * BAR)
    assert grid(long, most=30.0) == Grid(30.0, None, None, None, None, loop=False)
    assert refusal(long, most=30.0, loop=True).field == "loop"
    assert grid(score(130 * BAR), most=600.0).bars is None


def test_a_key_signature_is_the_key_unless_it_is_c_major() -> None:
    assert grid(score(keys=(KeyMark(0, 9, True),))).key == "A minor"
    assert grid(score(keys=(KeyMark(0, 0, False),))).key is None
    assert grid(score(keys=(KeyMark(0, 9, True), KeyMark(BAR, 2, True)))).key is None


@pytest.mark.parametrize("action", ["play", "orchestrate", "accompany", "continue"])
@pytest.mark.parametrize(("name", "value"), [("bpm", 90.0), ("meter", "3/4"), ("key", "Dm")])
def test_fields_that_the_score_decides_are_refused(action: ScoreAction, name: str, value: Any) -> None:
    assert refusal(score(keys=(KeyMark(0, 9, True),)), action, **{name: value}).field == name


def test_the_fields_of_a_recipe_are_accepted_again() -> None:
    notes = score(keys=(KeyMark(0, 9, True),))
    for action in get_args(ScoreAction):
        first = grid(notes, action)
        fields = {name: value for name, value in first._asdict().items() if value is not None}
        assert grid(notes, action, **fields) == first
    assert grid(notes, key="Am").key == "A minor"


@pytest.mark.parametrize("name", ["negative_prompt", "variations"])
def test_what_describes_composing_is_refused_where_nothing_is_composed(name: str) -> None:
    fields: dict[str, Any] = {name: {"negative_prompt": "drums", "variations": 2}[name]}
    assert refusal(score(), **fields).field == name
    assert grid(score(), "accompany", **fields).bars == 3


def test_the_key_of_what_is_composed_can_be_stated() -> None:
    assert grid(score(), "accompany", key="F#m").key == "F# minor"
    assert refusal(score(), "play", key="F#m").field == "key"


def test_what_follows_begins_with_the_bar_after_the_last_note() -> None:
    """Eight bars unless the request says more, or there is no room."""
    assert grid(score(), "continue") == Grid(20.0, 10, 120.0, "4/4", None, loop=False)
    assert grid(score(BAR + 1), "continue").bars == 9
    assert grid(score(BAR + BAR // 2), "continue", bars=4).duration == 8.0
    assert grid(score(), "continue", duration=9.0).bars == 5
    assert grid(score(), "continue", most=10.0).bars == 5
    assert grid(score(), "continue", bars=4, loop=True).loop


def test_what_follows_needs_room() -> None:
    assert refusal(score(), "continue", bars=2).field == "bars"
    assert refusal(score(), "continue", duration=3.0).field == "duration"
    assert refusal(score(), "continue", bars=70).field == "bars"
    assert "less of it" in refusal(score(10 * BAR), "continue", most=20.0).message


def test_what_follows_changes_of_tempo_has_a_duration() -> None:
    notes = score(tempos=(AT_120, TempoMark(BAR, 400_000)))
    assert grid(notes, "continue").duration == pytest.approx(2 + 1.6 + 8 * 1.6)
    assert grid(notes, "continue", duration=7.5).duration == 7.5
    assert refusal(notes, "continue", duration=3.0).field == "duration"
    assert refusal(notes, "continue", duration=121.0).field == "duration"
