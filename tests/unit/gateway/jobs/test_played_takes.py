"""The recipes of takes whose score is played again."""

from http import HTTPStatus
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.jobs.played_takes import play_take
from gateway.problems import Problem
from gateway.schemas import GenerateRequest, ScoreRequest
from shared.messages import JobRecord, JobStatus, Recipe
from tests.unit.gateway.jobs.test_children import ON_GRID, SCORE, take
from tests.unit.gateway.samples import job_id


def played(parent: JobRecord | None = None, score: dict[str, Any] | None = None, **fields: Any) -> Recipe:
    asked = ScoreRequest(job_id=job_id(1), **(score or {}))
    return play_take(parent or take(), GenerateRequest(score=asked, **fields), asked)


def refusal(parent: JobRecord | None = None, score: dict[str, Any] | None = None, **fields: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        played(parent, score, **fields)
    return caught.value


def test_a_take_that_is_played_again_is_the_take_with_an_edit_of_its_score() -> None:
    made = played()
    assert made.edit is not None
    assert replace(made, edit=None) == ON_GRID
    assert (made.edit.kind, made.edit.parent, made.edit.score) == ("play", job_id(1), SCORE)
    assert (made.edit.streams, made.edit.programs, made.score) == ((), {}, None)


def test_a_name_means_every_stream_that_it_plays_in() -> None:
    made = played(score={"programs": {"piano": 73}, "instruments": ("drums", "lead")}).edit
    assert made is not None
    assert made.programs == {"chords": 73, "lead": 73}
    assert made.streams == ("drums", "lead")


def test_the_files_fields_are_the_requests_and_the_rest_is_the_takes() -> None:
    made = played(format="ogg", title=" Solo  take ", outputs=("stems", "midi"), sample_rate=48_000, seed=3)
    assert (made.format, made.title, made.sample_rate, made.seed) == ("ogg", "Solo take", 48_000, 3)
    assert made.outputs == ("midi", "stems")
    assert (made.key, made.bars, made.loudness) == (ON_GRID.key, ON_GRID.bars, ON_GRID.loudness)
    assert played().format == ON_GRID.format


@pytest.mark.parametrize(
    ("name", "value"),
    [("prompt", "jazz"), ("bars", 4), ("bpm", 90.0), ("loop", True), ("variations", 2), ("temperature", 0.5)],
)
def test_what_would_compose_something_is_refused(name: str, value: Any) -> None:
    problem = refusal(**{name: value})
    assert problem.errors
    assert problem.errors[0].field == name


def test_names_that_the_take_has_not_and_programs_for_percussion_are_refused() -> None:
    unknown = refusal(score={"instruments": ("harp",)})
    assert unknown.errors
    assert unknown.errors[0].message == "The take has no 'harp'. It has piano, drums."
    percussion = take().known_music.instruments[0]
    music = take().music
    assert music is not None
    shaken = replace(music, instruments=(replace(percussion, name="congas", stream="percussion"),))
    assert "no program" in str(refusal(take(music=shaken), {"programs": {"congas": 5}}).errors)


def test_a_take_that_is_not_finished_or_has_no_score_is_refused() -> None:
    assert refusal(take(status=JobStatus.PROCESSING)).status == HTTPStatus.CONFLICT
    assert refusal(take(music=None)).status == HTTPStatus.UNPROCESSABLE_ENTITY
    other = refusal(take(replace(ON_GRID, model="small")))
    assert (other.status, "starter" in other.detail) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)


def test_a_take_that_was_stopped_is_played_as_far_as_it_was_kept() -> None:
    stopped = take(status=JobStatus.CANCELLED)
    assert stopped.audio is not None
    made = played(replace(stopped, audio=replace(stopped.audio, duration=5.5)))
    assert (made.duration, made.bars, made.loop) == (5.5, None, False)
