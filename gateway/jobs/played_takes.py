"""Makes the recipe of a take whose score is played again, with other programs or some instruments alone."""

from msgspec import UNSET
from msgspec.structs import replace

from gateway.jobs.children import base_recipe, named_streams, stored_score
from gateway.jobs.recipes import clean_title, make_outputs
from gateway.problems import FieldError, invalid
from gateway.schemas import GenerateRequest, ScoreRequest
from shared.edits import Edit, StreamName
from shared.messages import JobRecord, Recipe

# What a request may say besides the score; the rest is as in the take.
_ALLOWED = {
    "score",
    "outputs",
    "title",
    "seed",
    "format",
    "sample_format",
    "sample_rate",
    "loudness",
    "priority",
    "cache",
    "webhook",
    "webhook_events",
}
_PLAIN = GenerateRequest()


def play_take(parent: JobRecord, request: GenerateRequest, score: ScoreRequest) -> Recipe:
    """The recipe that plays a take's score again. It holds the score, so it needs the take no more.

    Args:
        parent: the record of a job that the client may see.
        request: the validated body.
        score: its score, which names the job.

    Raises:
        Problem: 409 if the take is not finished; 422 if it has no score, or with the field's name.
    """
    for name in request.__struct_fields__:
        if name not in _ALLOWED and getattr(request, name) != getattr(_PLAIN, name):
            raise invalid(FieldError(name, "The score of a take is played as it is, and nothing is composed. Omit it."))
    programs: dict[StreamName, int] = {}
    for name, program in (score.programs or {}).items():
        programs |= dict.fromkeys(named_streams(parent, (name,), "score"), program)
    if "percussion" in programs:
        raise invalid(FieldError("score", "The percussion has no program. Choose another instrument."))
    edit = Edit(
        kind="play",
        parent=parent.job_id,
        score=stored_score(parent),
        streams=named_streams(parent, score.instruments or (), "score"),
        programs=programs,
    )
    base = base_recipe(parent)
    given = {name: getattr(request, name) for name in ("format", "sample_rate", "loudness")}
    return replace(
        base,
        **{name: value for name, value in given.items() if value is not UNSET},
        sample_format=request.sample_format,
        seed=base.seed if request.seed is None else request.seed,
        outputs=make_outputs(request.outputs or (), base.model),
        title=clean_title(request.title) if request.title else base.title,
        edit=edit,
    )
