"""The recipes of children whose parents have no score."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.jobs.children import make_child
from gateway.jobs.edit_requests import EditRequest, ExtendRequest, ReplaceRequest, VaryRequest
from gateway.problems import Problem
from shared.audio_conditions import AudioConditions, AudioSource
from shared.edits import Edit, ParentAudio
from shared.messages import JobRecord, JobStatus, Recipe
from shared.music import Measured, Music, bar_seconds
from tests.unit.gateway.samples import completed, job_id

BAR = 2.0
ON_GRID = Recipe(model="small", prompt="house", duration=8 * BAR, bars=8, bpm=120.0, meter="4/4", seed=7, loop=True)
FREE = Recipe(model="small", prompt="house", duration=16.0)
GRID = Music(bpm=120.0, meter="4/4", bars=8)
# The first bar begins after an upbeat of half a second, and the last one is cut short.
MEASURED = Measured(bpm=100.0, downbeats=(0.5, 2.9, 5.3, 7.7, 10.1, 12.5, 14.9))


def take(recipe: Recipe = ON_GRID, music: Music | None = GRID, **fields: Any) -> JobRecord:
    """A completed take of a model without scores."""
    done = completed(1)
    assert done.audio is not None
    audio = replace(done.audio, duration=recipe.duration)
    return replace(done, **({"recipe": recipe, "music": music, "audio": audio} | fields))


def measured_take(**fields: Any) -> JobRecord:
    return take(FREE, None, measured=MEASURED, **fields)


def free_take(**fields: Any) -> JobRecord:
    """A take whose tempo is not known."""
    return take(FREE, None, **fields)


def child(request: EditRequest, parent: JobRecord | None = None, longest: float = 120.0) -> Recipe:
    return make_child(parent or take(), request, longest)


def edit(request: EditRequest, parent: JobRecord | None = None) -> Edit:
    made = child(request, parent).edit
    assert made is not None
    return made


def region(request: EditRequest, parent: JobRecord | None = None) -> tuple[float | None, float | None]:
    made = edit(request, parent)
    return made.from_seconds, made.to_seconds


def refusal(request: EditRequest, parent: JobRecord | None = None, longest: float = 120.0) -> tuple[str, str]:
    """The field and the reason of a 422."""
    with pytest.raises(Problem) as caught:
        child(request, parent, longest)
    assert caught.value.status == 422
    return caught.value.errors[0].field, caught.value.errors[0].message


def test_a_child_is_as_its_parent_but_for_the_edit_and_the_seed() -> None:
    made, parent = child(ReplaceRequest(from_bar=5, to_bar=6, prompt=" no drums ", seed=3)), take()
    assert parent.audio is not None
    assert made.edit == Edit(
        kind="replace",
        parent=job_id(1),
        audio=ParentAudio(sha256=parent.audio.sha256, size=parent.audio.size),
        from_bar=5,
        to_bar=6,
        from_seconds=4 * BAR,
        to_seconds=6 * BAR,
        prompt="no drums",
    )
    assert replace(made, edit=None) == replace(ON_GRID, seed=3)


def test_what_the_parent_was_conditioned_on_does_not_matter_to_its_child() -> None:
    melody = AudioConditions(melody=AudioSource(job_id=job_id(2), sha256="0" * 64))
    assert child(VaryRequest(), take(replace(ON_GRID, audio=melody))).audio is None


def test_a_take_that_missed_its_tempo_has_children_without_one() -> None:
    made = child(ExtendRequest(seconds=2), take(music=None))
    assert (made.bars, made.bpm, made.loop, made.duration) == (None, None, False, 18.0)


@pytest.mark.parametrize(
    ("from_bar", "to_bar", "expected"), [(2, 2, (2.0, 4.0)), (3, 8, (4.0, None)), (8, 8, (14.0, None))]
)
def test_bars_are_those_of_the_grid(from_bar: int, to_bar: int, expected: tuple[float, float | None]) -> None:
    assert region(ReplaceRequest(from_bar=from_bar, to_bar=to_bar)) == expected


def test_bars_that_were_measured_can_be_replaced() -> None:
    assert region(ReplaceRequest(from_bar=2, to_bar=3), measured_take()) == (2.9, 7.7)
    assert region(ReplaceRequest(from_bar=7, to_bar=7), measured_take()) == (14.9, None)
    field, reason = refusal(ReplaceRequest(from_bar=8, to_bar=8), measured_take())
    assert (field, reason) == ("to_bar", "The take has 7 bars. Give a bar from 8 to 7.")


def test_seconds_are_moved_to_beats_where_these_are_known() -> None:
    request = ReplaceRequest(from_seconds=4.1, to_seconds=7.6)
    assert region(request) == (4.0, 7.5)
    assert region(request, measured_take()) == pytest.approx((4.1, 7.7))
    assert region(request, free_take()) == (4.1, 7.6)


def test_a_region_may_last_to_the_end() -> None:
    for parent in (take(), measured_take(), free_take()):
        assert region(ReplaceRequest(from_seconds=8, to_seconds=16), parent)[1] is None


@pytest.mark.parametrize(
    ("request_", "field", "reason"),
    [
        (ReplaceRequest(from_bar=1, to_bar=2), "from_bar", "Begin at bar 2 or later"),
        (ReplaceRequest(from_seconds=0.4, to_seconds=2), "from_seconds", "Begin at 1 seconds or later"),
        (ReplaceRequest(from_seconds=4, to_seconds=4.1), "to_seconds", "at least 0.5 seconds"),
        (ReplaceRequest(from_seconds=8, to_seconds=4), "to_seconds", "at least 0.5 seconds"),
        (ReplaceRequest(from_seconds=4, to_seconds=17), "to_seconds", "The take lasts 16 seconds"),
        (ReplaceRequest(from_bar=4, to_bar=3), "from_bar", "at most to_bar"),
        (ReplaceRequest(from_bar=4), "from_bar", "Give from_bar and to_bar, or"),
        (ReplaceRequest(from_bar=4, to_seconds=9), "from_bar", "Give from_bar and to_bar, or"),
        (ReplaceRequest(from_bar=4, to_bar=5, to_seconds=9), "from_bar", "Give from_bar and to_bar, or"),
        (ReplaceRequest(from_bar=4, to_bar=5, instruments=("drums",)), "instruments", "all instruments at once"),
        (VaryRequest(instruments=("drums",)), "instruments", "all instruments at once"),
        (VaryRequest(strength=0), "strength", "0 keeps all of the take"),
        (ExtendRequest(bars=2, at="start"), "at", "cannot lead into a beginning"),
        (ExtendRequest(seconds=108), "seconds", "Add less."),
        (ExtendRequest(bars=53), "bars", "Add less."),
        (ExtendRequest(bars=2, seconds=2), "bars", "Give either bars or seconds."),
    ],
)
def test_what_the_model_cannot_do_is_refused_with_the_reason(request_: EditRequest, field: str, reason: str) -> None:
    found = refusal(request_)
    assert found[0] == field
    assert reason in found[1]


def test_bars_of_a_take_without_known_bars_are_refused() -> None:
    assert refusal(ReplaceRequest(from_bar=2, to_bar=2), free_take())[0] == "from_bar"
    assert refusal(ExtendRequest(bars=2), free_take())[0] == "bars"
    assert refusal(ExtendRequest(seconds=0.2), free_take())[0] == "seconds"


def test_a_take_too_short_to_go_on_from_is_refused() -> None:
    short = replace(FREE, duration=0.9)
    assert refusal(VaryRequest(), take(short, None))[0] == "strength"
    with pytest.raises(Problem, match="too short to go on from"):
        child(ExtendRequest(seconds=2), take(short, None))


@pytest.mark.parametrize(
    ("strength", "begin"), [(0.01, 14.0), (0.25, 12.0), (0.3, 12.0), (0.5, 8.0), (0.99, 2.0), (1.0, 2.0)]
)
def test_strength_is_the_share_that_is_new_in_whole_bars(strength: float, begin: float) -> None:
    assert region(VaryRequest(strength=strength)) == (begin, None)


def test_without_bars_strength_is_the_share_that_is_new_in_seconds() -> None:
    assert region(VaryRequest(strength=0.25), free_take()) == (12.0, None)
    assert region(VaryRequest(strength=1.0), free_take()) == (1.0, None)
    assert region(VaryRequest(strength=0.001), free_take()) == (15.5, None)


@pytest.mark.parametrize("request_", [ExtendRequest(bars=4), ExtendRequest(seconds=7.2)])
def test_whole_bars_stay_whole(request_: ExtendRequest) -> None:
    made = child(request_)
    assert (made.bars, made.duration, made.bpm) == (12, 12 * BAR, 120.0)
    assert region(request_) == (16.0, None)


def test_a_take_that_ends_within_a_bar_is_completed_from_its_last_beat() -> None:
    recipe = replace(ON_GRID, duration=15.2, bars=None, loop=False)
    parent = take(recipe, Music(bpm=120.0, meter="4/4"))
    made = child(ExtendRequest(bars=2), parent)
    assert (made.bars, made.duration) == (10, 10 * BAR)
    assert region(ExtendRequest(bars=2), parent) == (15.0, None)
    assert child(ExtendRequest(seconds=3), parent).duration == pytest.approx(18.2)


def test_a_take_of_measured_bars_gets_longer_by_such_bars() -> None:
    made = child(ExtendRequest(bars=2), measured_take())
    assert made.bars is None
    assert made.duration == pytest.approx(14.9 + 3 * 2.4)
    assert region(ExtendRequest(bars=2), measured_take())[0] == pytest.approx(15.5)


def test_a_take_without_known_bars_is_continued_at_its_end() -> None:
    assert region(ExtendRequest(seconds=4), free_take()) == (16.0, None)


def test_fractional_tempos_have_exact_bars() -> None:
    recipe = replace(ON_GRID, bpm=92.1, duration=float(8 * bar_seconds(92.1)))
    made = child(ExtendRequest(bars=1), take(recipe, Music(bpm=92.1, meter="4/4", bars=8)))
    assert made.duration == pytest.approx(float(9 * bar_seconds(92.1)))


def test_what_was_kept_of_a_stopped_take_can_be_worked_on() -> None:
    done = take()
    assert done.audio is not None
    kept = replace(done, status=JobStatus.CANCELLED, music=None, audio=replace(done.audio, duration=5.0))
    made = child(ExtendRequest(seconds=3), kept)
    assert (made.bars, made.duration, made.loop) == (None, 8.0, False)


def test_children_of_a_checkpoint_folder_are_made_of_what_its_takes_have() -> None:
    folder = replace(ON_GRID, model="my-model")
    assert edit(VaryRequest(), take(folder)).audio is not None
