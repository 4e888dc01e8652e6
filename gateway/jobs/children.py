"""Makes the recipe of a child: a take that is made of another one, its parent."""

import secrets
from collections.abc import Iterable
from fractions import Fraction
from http import HTTPStatus
from math import ceil

from msgspec import UNSET
from msgspec.structs import replace

from gateway.jobs.audio_children import KINDS, check_bars, make_audio_child, too_long
from gateway.jobs.edit_requests import EditRequest, ExtendRequest, ReplaceRequest, VaryRequest
from gateway.jobs.recipes import clean_prompt, clean_title, make_outputs
from gateway.problems import FieldError, Problem, invalid
from shared.edits import Edit, StoredScore, StreamName
from shared.messages import JobRecord, JobStatus, Recipe
from shared.models import STARTER, may_write_scores
from shared.music import DEFAULT_METER, MOST_BARS, bar_quarters

# Of a bar: what a file may be longer than its whole bars.
TOLERANCE = Fraction(1, 1000)


def make_child(parent: JobRecord, request: EditRequest, max_duration: float) -> Recipe:
    """The recipe of a child: of its parent's score, which it holds, or of its audio if the model writes no score.

    Everything that the request leaves open is as in the parent's recipe.

    Args:
        parent: the record of a job that the client may see.
        request: the validated body.
        max_duration: the longest allowed duration in seconds.

    Raises:
        Problem: 409 if the parent is not finished; 422 if the edit is not possible, or with the field's name.
    """
    _check_fields(request)
    _check_finished(parent)
    base, prompt = base_recipe(parent), _own_prompt(request)
    if has_score(parent):
        recipe = _score_child(parent, base, request, max_duration)
    else:
        recipe = make_audio_child(parent, base, request, max_duration)
    assert recipe.edit is not None
    return replace(
        recipe,
        edit=replace(recipe.edit, prompt=prompt),
        seed=secrets.randbelow(2**32) if request.seed is None else request.seed,
        outputs=base.outputs if request.outputs is UNSET else make_outputs(request.outputs, base.model),
        title=clean_title(request.title) if request.title else base.title,
    )


def has_score(parent: JobRecord) -> bool:
    """Whether the model that made a finished take writes scores. A model in a folder shows it by what it made."""
    recipe, music = parent.recipe, parent.music
    works_on_scores = recipe.score is not None or (recipe.edit is not None and recipe.edit.score is not None)
    made_score = music is not None and (music.score is not None or bool(music.instruments))
    return recipe.model == STARTER or works_on_scores or made_score


def _check_fields(request: EditRequest) -> None:
    """Refuse lengths and places that are given twice or not at all."""
    if isinstance(request, ExtendRequest) and (request.bars is UNSET) == (request.seconds is UNSET):
        raise invalid(FieldError("bars", "Give either bars or seconds."))
    if isinstance(request, ReplaceRequest):
        bars, seconds = (request.from_bar, request.to_bar), (request.from_seconds, request.to_seconds)
        for given, other in ((bars, seconds), (seconds, bars)):
            if UNSET not in given and all(each is UNSET for each in other):
                return
        raise invalid(FieldError("from_bar", "Give from_bar and to_bar, or from_seconds and to_seconds."))


def _score_child(parent: JobRecord, base: Recipe, request: EditRequest, max_duration: float) -> Recipe:
    score = stored_score(parent)
    edit = Edit(kind=KINDS[type(request)], parent=parent.job_id, score=score, streams=_streams(parent, request))
    match request:
        case VaryRequest():
            return replace(base, edit=replace(edit, strength=request.strength))
        case ReplaceRequest():
            if request.from_bar is UNSET or request.to_bar is UNSET:
                raise invalid(FieldError("from_seconds", "A take with a score has bars. Give from_bar and to_bar."))
            check_bars(request.from_bar, request.to_bar, _count_bars(parent, score))
            return replace(base, edit=replace(edit, from_bar=request.from_bar, to_bar=request.to_bar))
        case ExtendRequest():
            return _extended(base, replace(edit, at=request.at), request, parent, max_duration)


def stored_score(parent: JobRecord) -> StoredScore:
    """The score of a finished take.

    Raises:
        Problem: 409 if it is not finished; 422 if it has none.
    """
    job_id, model = parent.job_id, parent.recipe.model
    if not may_write_scores(model):
        message = f"Job {job_id} was made by {model}, which writes no scores, so no part of it can be composed alone."
        raise _not_possible(f"{message} Choose a take of a model that does, such as {STARTER}.")
    _check_finished(parent)
    if parent.recipe.score is not None:
        message = f"Job {job_id} was made of a score of notes, of which no bars are composed alone."
        raise _not_possible(
            f'{message} POST {{"score": {{"job_id": "{job_id}", "as": "continue"}}}} to /api/v1/generate.'
        )
    if parent.music is None or parent.music.score is None:
        message = f"Job {job_id} has no stored score: an earlier version made it, or another engine."
        raise _not_possible(f"{message} POST its recipe to /api/v1/generate, and work on the new job.")
    return parent.music.score


def _check_finished(parent: JobRecord) -> None:
    if parent.status not in (JobStatus.COMPLETED, JobStatus.CANCELLED) or parent.audio is None:
        wait = "" if parent.status.is_terminal else " Wait until it has completed."
        message = f"Job {parent.job_id} has no music to work on: it is {parent.status.value}.{wait}"
        raise Problem(HTTPStatus.CONFLICT, message)


def _not_possible(message: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message)


def base_recipe(parent: JobRecord) -> Recipe:
    """The parent's recipe; of a job that was stopped early, for what was kept."""
    if parent.status is JobStatus.COMPLETED or parent.audio is None:
        return parent.recipe
    return replace(parent.recipe, bars=None, loop=False, duration=parent.audio.duration)


def _own_prompt(request: EditRequest) -> str | None:
    prompt = UNSET if isinstance(request, VaryRequest) else request.prompt
    return None if prompt is UNSET else clean_prompt(prompt, "Describe the new bars in words, or leave it out.")


def _streams(parent: JobRecord, request: EditRequest) -> tuple[StreamName, ...]:
    """The streams of the named instruments; none means all."""
    names = UNSET if isinstance(request, ExtendRequest) else request.instruments
    return () if names is UNSET else named_streams(parent, names, "instruments")


def named_streams(parent: JobRecord, names: Iterable[str], field: str) -> tuple[StreamName, ...]:
    """The streams that names of the take's instruments mean, or names of streams.

    Raises:
        Problem: 422 with the name of the field, if nothing has such a name.
    """
    played = parent.known_music.instruments
    found: dict[StreamName, None] = {}
    for name in names:
        streams = [each.stream for each in played if name in (each.name, each.stream)]
        if not streams:
            known = ", ".join(dict.fromkeys(each.name for each in played))
            raise invalid(FieldError(field, f"The take has no {name!r}. It has {known}."))
        found |= dict.fromkeys(streams)  # type: ignore[arg-type]
    return tuple(found)


def _bar(parent: JobRecord, score: StoredScore) -> Fraction:
    """The length of a bar in seconds."""
    return bar_quarters(parent.known_music.meter or DEFAULT_METER) * 60 / score.exact_tempo


def _count_bars(parent: JobRecord, score: StoredScore) -> int:
    """The bars of the parent, the last one perhaps cut short."""
    bars = Fraction(base_recipe(parent).duration) / _bar(parent, score)
    return max(ceil(bars - TOLERANCE), 1)


def _extended(base: Recipe, edit: Edit, request: ExtendRequest, parent: JobRecord, max_duration: float) -> Recipe:
    bar, is_whole = _bar(parent, edit.known_score), base.bars is not None
    if request.bars is UNSET and not is_whole and request.at == "end":
        recipe = replace(base, duration=base.duration + float(request.seconds or 0.0))
    else:
        added = request.bars or max(round(Fraction(request.seconds or 0.0) / bar), 1)
        recipe = _with_bars(base, added, bar, parent, edit)
    if recipe.duration > max_duration or (recipe.bars or 0) > MOST_BARS:
        raise too_long(recipe, request, max_duration)
    return replace(recipe, edit=edit)


def _with_bars(base: Recipe, added: int, bar: Fraction, parent: JobRecord, edit: Edit) -> Recipe:
    """The recipe with more bars: whole bars, unless they come before a parent that ends within a bar."""
    if base.bars is None and edit.at == "start":
        return replace(base, duration=float(added * bar) + base.duration)
    bars = added + (base.bars or _count_bars(parent, edit.known_score))
    meter, bpm = parent.known_music.meter or DEFAULT_METER, base.bpm or float(edit.known_score.exact_tempo)
    return replace(base, bars=bars, bpm=bpm, meter=base.meter or meter, duration=float(bars * bar))
