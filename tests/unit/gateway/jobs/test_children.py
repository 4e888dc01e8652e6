"""The recipes of children."""

import zlib
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.jobs.children import make_child
from gateway.jobs.edit_requests import EditRequest, ExtendRequest, ReplaceRequest, VaryRequest
from gateway.problems import Problem
from shared.edits import StoredScore
from shared.messages import JobRecord, JobStatus, Recipe
from shared.music import Instrument, Music, bar_seconds
from tests.unit.gateway.samples import completed, job_id, record

SCORE = StoredScore(codes=zlib.compress(bytes(160)), tempo="120", samples=512_000, caption="house")
PLAYERS = (
    Instrument(name="piano", stream="chords"),
    Instrument(name="piano", stream="lead"),
    Instrument(name="drums", stream="drums"),
)
BAR = 2.0
ON_GRID = Recipe(
    model="starter",
    prompt="house",
    duration=8 * BAR,
    bars=8,
    bpm=120.0,
    meter="4/4",
    key="A minor",
    seed=7,
    format="flac",
)
# Seven bars and a half.
OFF_GRID = replace(ON_GRID, duration=7.5 * BAR, bars=None, bpm=None, meter=None)


def take(recipe: Recipe = ON_GRID, **fields: Any) -> JobRecord:
    """A completed take of the starter."""
    music = Music(bpm=120.0, meter="4/4", instruments=PLAYERS, score=SCORE)
    done = completed(1)
    assert done.audio is not None
    audio = replace(done.audio, duration=recipe.duration)
    return replace(done, **({"recipe": recipe, "music": music, "audio": audio} | fields))


def child(request: EditRequest, parent: JobRecord | None = None, longest: float = 120.0) -> Recipe:
    return make_child(parent or take(), request, longest)


def refusal(request: EditRequest, parent: JobRecord | None = None, longest: float = 120.0) -> Problem:
    with pytest.raises(Problem) as caught:
        child(request, parent, longest)
    return caught.value


def test_a_child_is_as_its_parent_but_for_the_edit_and_the_seed() -> None:
    made = child(ReplaceRequest(from_bar=5, to_bar=8, seed=3))
    assert made.edit is not None
    assert replace(made, edit=None) == replace(ON_GRID, seed=3)
    assert (made.edit.kind, made.edit.parent, made.edit.score) == ("replace", job_id(1), SCORE)
    assert (made.edit.from_bar, made.edit.to_bar, made.edit.streams) == (5, 8, ())


def test_seconds_of_a_take_with_a_score_are_refused() -> None:
    problem = refusal(ReplaceRequest(from_seconds=2, to_seconds=4))
    assert problem.detail == "from_seconds: A take with a score has bars. Give from_bar and to_bar."


def test_a_random_seed_is_drawn() -> None:
    seeds = {child(VaryRequest()).seed for _ in range(3)}
    assert len(seeds) == 3


def test_a_child_may_have_other_outputs_and_another_title() -> None:
    made = child(VaryRequest(strength=0.0, outputs=("stems", "midi"), title=" Second  take "))
    assert (made.outputs, made.title) == (("midi", "stems"), "Second take")


@pytest.mark.parametrize(
    ("names", "streams"),
    [(("piano",), ("chords", "lead")), (("lead",), ("lead",)), (("drums", "chords"), ("drums", "chords"))],
)
def test_instruments_are_named_by_name_or_stream(names: tuple[str, ...], streams: tuple[str, ...]) -> None:
    made = child(ReplaceRequest(from_bar=1, to_bar=1, instruments=names))
    assert made.edit is not None
    assert made.edit.streams == streams


def test_an_instrument_that_does_not_play_is_refused() -> None:
    problem = refusal(ReplaceRequest(from_bar=1, to_bar=1, instruments=("flute",)))
    assert (problem.status, problem.detail) == (422, "instruments: The take has no 'flute'. It has piano, drums.")


@pytest.mark.parametrize(("bars", "field"), [((9, 9), "to_bar"), ((1, 9), "to_bar"), ((4, 3), "from_bar")])
def test_bars_that_do_not_exist_are_refused(bars: tuple[int, int], field: str) -> None:
    problem = refusal(ReplaceRequest(from_bar=bars[0], to_bar=bars[1]))
    assert (problem.status, problem.errors[0].field) == (422, field)


def test_the_bar_that_is_cut_short_can_be_replaced() -> None:
    made = child(ReplaceRequest(from_bar=8, to_bar=8), take(OFF_GRID))
    assert made.duration == OFF_GRID.duration
    assert refusal(ReplaceRequest(from_bar=9, to_bar=9), take(OFF_GRID)).status == 422


@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("request_", [{"bars": 4}, {"seconds": 7.2}])
def test_whole_bars_stay_whole(at: Any, request_: dict[str, Any]) -> None:
    made = child(ExtendRequest(at=at, **request_))
    assert (made.bars, made.duration, made.bpm) == (12, 12 * BAR, 120.0)
    assert made.edit is not None
    assert made.edit.at == at


def test_a_take_that_ends_within_a_bar_is_completed() -> None:
    made = child(ExtendRequest(bars=4), take(OFF_GRID))
    assert (made.bars, made.duration, made.bpm, made.meter) == (12, 12 * BAR, 120.0, "4/4")


def test_seconds_are_added_to_a_take_that_ends_within_a_bar() -> None:
    made = child(ExtendRequest(seconds=3.3), take(OFF_GRID))
    assert made.bars is None
    assert made.duration == pytest.approx(7.5 * BAR + 3.3)


def test_in_front_of_a_take_that_ends_within_a_bar_there_are_whole_bars() -> None:
    made = child(ExtendRequest(seconds=3.3, at="start"), take(OFF_GRID))
    assert made.bars is None
    assert made.duration == pytest.approx(9.5 * BAR)


def test_fractional_tempos_have_exact_bars() -> None:
    recipe = replace(ON_GRID, bpm=92.1, duration=float(8 * bar_seconds(92.1)))
    music = Music(bpm=92.1, meter="4/4", score=replace(SCORE, tempo="921/10"))
    made = child(ExtendRequest(bars=1), take(recipe, music=music))
    assert made.duration == pytest.approx(float(9 * bar_seconds(92.1)))


@pytest.mark.parametrize("request_", [{}, {"bars": 1, "seconds": 2.0}])
def test_either_bars_or_seconds_are_needed(request_: dict[str, Any]) -> None:
    assert refusal(ExtendRequest(**request_)).detail == "bars: Give either bars or seconds."


@pytest.mark.parametrize(("longest", "bars"), [(23.0, 4), (1000.0, 121)])
def test_a_take_that_would_be_too_long_is_refused(longest: float, bars: int) -> None:
    problem = refusal(ExtendRequest(bars=bars), longest=longest)
    assert problem.errors[0].field == "bars"
    assert "Add less." in problem.detail


def test_a_prompt_describes_the_part() -> None:
    made = child(ReplaceRequest(from_bar=1, to_bar=1, prompt=" no drums "))
    assert made.edit is not None
    assert (made.prompt, made.edit.prompt) == ("house", "no drums")
    assert refusal(ReplaceRequest(from_bar=1, to_bar=1, prompt="  ")).errors[0].field == "prompt"


def test_what_was_kept_of_a_stopped_take_can_be_worked_on() -> None:
    done = take()
    assert done.audio is not None
    kept = replace(done, status=JobStatus.CANCELLED, audio=replace(done.audio, duration=5.0))
    made = child(VaryRequest(), kept)
    assert (made.bars, made.duration, made.loop) == (None, 5.0, False)


def test_a_take_whose_audio_has_expired_can_be_worked_on() -> None:
    made = child(VaryRequest(), take(expired_at=completed(1).created_at))
    assert made.edit is not None


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (JobStatus.QUEUED, "Wait until it has completed."),
        (JobStatus.PROCESSING, "Wait until it has completed."),
        (JobStatus.FAILED, "it is failed"),
    ],
)
def test_a_job_without_music_cannot_be_worked_on(status: JobStatus, advice: str) -> None:
    problem = refusal(VaryRequest(), record(1, status=status))
    assert problem.status == 409
    assert advice in problem.detail


@pytest.mark.parametrize(
    ("parent", "advice"),
    [
        (take(music=Music()), "no stored score"),
        (take(music=None), "no stored score"),
    ],
)
def test_a_take_without_a_score_cannot_be_worked_on(parent: JobRecord, advice: str) -> None:
    problem = refusal(VaryRequest(), parent)
    assert problem.status == 422
    assert advice in problem.detail
