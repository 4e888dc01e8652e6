"""Makes the recipe of a child: a take that is made of another one, its parent."""

import secrets
from collections.abc import Iterable
from fractions import Fraction
from http import HTTPStatus
from math import ceil

from msgspec import UNSET
from msgspec.structs import replace

from gateway.decoding import format_number
from gateway.jobs.edit_requests import EditRequest, ExtendRequest, ReplaceRequest, VaryRequest
from gateway.jobs.recipes import clean_prompt, clean_title, make_outputs
from gateway.problems import FieldError, Problem, invalid
from shared.edits import Edit, EditKind, StoredScore, StreamName
from shared.messages import JobRecord, JobStatus, Recipe
from shared.models import STARTER, may_write_scores
from shared.music import DEFAULT_METER, MOST_BARS, bar_quarters

# Of a bar: what a file may be longer than its whole bars.
TOLERANCE = Fraction(1, 1000)


def make_child(parent: JobRecord, request: EditRequest, max_duration: float) -> Recipe:
    """The recipe of a child. It holds the parent's score, so the child needs the parent no more.

    Everything that the request leaves open is as in the parent's recipe.

    Args:
        parent: the record of a job that the client may see.
        request: the validated body.
        max_duration: the longest allowed duration in seconds.

    Raises:
        Problem: 409 if the parent is not finished; 422 if it has no score, or with the field's name.
    """
    score = stored_score(parent)
    base = base_recipe(parent)
    edit = Edit(
        kind=_KINDS[type(request)],
        parent=parent.job_id,
        score=score,
        streams=_streams(parent, request),
        prompt=_own_prompt(request),
    )
    match request:
        case VaryRequest():
            recipe = replace(base, edit=replace(edit, strength=request.strength))
        case ReplaceRequest():
            _check_bars(request, _count_bars(parent, score))
            recipe = replace(base, edit=replace(edit, from_bar=request.from_bar, to_bar=request.to_bar))
        case ExtendRequest():
            recipe = _extended(base, replace(edit, at=request.at), request, parent, max_duration)
    return replace(
        recipe,
        seed=secrets.randbelow(2**32) if request.seed is None else request.seed,
        outputs=base.outputs if request.outputs is UNSET else make_outputs(request.outputs, base.model),
        title=clean_title(request.title) if request.title else base.title,
    )


_KINDS: dict[type, EditKind] = {VaryRequest: "vary", ExtendRequest: "extend", ReplaceRequest: "replace"}


def stored_score(parent: JobRecord) -> StoredScore:
    """The score of a finished take.

    Raises:
        Problem: 409 if it is not finished; 422 if it has none.
    """
    job_id, model = parent.job_id, parent.recipe.model
    if not may_write_scores(model):
        message = f"Job {job_id} was made by {model}, which writes no scores, so no part of it can be composed alone."
        raise _not_possible(f"{message} Choose a take of a model that does, such as {STARTER}.")
    if parent.status not in (JobStatus.COMPLETED, JobStatus.CANCELLED) or parent.audio is None:
        wait = "" if parent.status.is_terminal else " Wait until it has completed."
        message = f"Job {job_id} has no music to work on: it is {parent.status.value}.{wait}"
        raise Problem(HTTPStatus.CONFLICT, message)
    if parent.recipe.score is not None:
        message = f"Job {job_id} was made of a score of notes, of which no bars are composed alone."
        raise _not_possible(
            f'{message} POST {{"score": {{"job_id": "{job_id}", "as": "continue"}}}} to /api/v1/generate.'
        )
    if parent.music is None or parent.music.score is None:
        message = f"Job {job_id} has no stored score: an earlier version made it, or another engine."
        raise _not_possible(f"{message} POST its recipe to /api/v1/generate, and work on the new job.")
    return parent.music.score


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


def _check_bars(request: ReplaceRequest, bars: int) -> None:
    if request.to_bar > bars:
        raise invalid(FieldError("to_bar", f"The take has {bars} bars. Give a bar from {request.from_bar} to {bars}."))
    if request.from_bar > request.to_bar:
        raise invalid(FieldError("from_bar", f"Must be at most to_bar, which is {request.to_bar}."))


def _extended(base: Recipe, edit: Edit, request: ExtendRequest, parent: JobRecord, max_duration: float) -> Recipe:
    if (request.bars is UNSET) == (request.seconds is UNSET):
        raise invalid(FieldError("bars", "Give either bars or seconds."))
    bar, is_whole = _bar(parent, edit.score), base.bars is not None
    if request.bars is UNSET and not is_whole and request.at == "end":
        recipe = replace(base, duration=base.duration + float(request.seconds or 0.0))
    else:
        added = request.bars or max(round(Fraction(request.seconds or 0.0) / bar), 1)
        recipe = _with_bars(base, added, bar, parent, edit)
    if recipe.duration > max_duration or (recipe.bars or 0) > MOST_BARS:
        limits = f"{format_number(max_duration)} seconds and {MOST_BARS} bars"
        field = "seconds" if request.bars is UNSET else "bars"
        message = f"The take would last {recipe.duration:.10g} seconds; at most {limits} are possible. Add less."
        raise invalid(FieldError(field, message))
    return replace(recipe, edit=edit)


def _with_bars(base: Recipe, added: int, bar: Fraction, parent: JobRecord, edit: Edit) -> Recipe:
    """The recipe with more bars: whole bars, unless they come before a parent that ends within a bar."""
    if base.bars is None and edit.at == "start":
        return replace(base, duration=float(added * bar) + base.duration)
    bars = added + (base.bars or _count_bars(parent, edit.score))
    meter, bpm = parent.known_music.meter or DEFAULT_METER, base.bpm or float(edit.score.exact_tempo)
    return replace(base, bars=bars, bpm=bpm, meter=base.meter or meter, duration=float(bars * bar))
