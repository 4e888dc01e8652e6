"""Turns a validated request into a recipe, by the rules that need several fields or a setting."""

import secrets
import unicodedata
from collections.abc import Collection
from http import HTTPStatus

from msgspec import UNSET

from gateway.jobs.audio_requests import make_conditions
from gateway.jobs.grid import Grid, make_grid
from gateway.jobs.played_grid import score_grid
from gateway.jobs.scores import FoundScore
from gateway.problems import FieldError, Problem, invalid
from gateway.prompts import ComponentError, build_prompt
from gateway.schemas import MAX_PROMPT, GenerateRequest
from shared.edits import Edit, unpack_codes
from shared.files import OUTPUT_KINDS, OutputKind
from shared.messages import Recipe
from shared.models import STARTER, default_guidance, may_write_scores
from shared.played_score import SCORE_PROMPT
from shared.prompt.reader import read_prompt
from shared.text import is_visible, without_bidi_controls


def make_recipe(
    request: GenerateRequest,
    *,
    default_model: str,
    models: Collection[str],
    max_duration: float,
    score: FoundScore | None = None,
) -> Recipe:
    """The complete recipe: defaults are filled in, and a seed is drawn if none was given.

    Args:
        request: the validated body.
        default_model: the model of a request that names none.
        models: the valid model names.
        max_duration: the longest allowed duration in seconds.
        score: that the request plays.

    Raises:
        Problem: 422 with the field's name; 400 for outputs that the model cannot produce.
    """
    model = request.model or default_model
    if model not in models:
        raise invalid(FieldError("model", f"One of {', '.join(sorted(models))}; it is {model!r}."))
    _check_format(request)
    if score is None:
        prompt, negative_prompt = _prompt(request), _negative_prompt(request, model)
        grid = _composed_grid(request, prompt, negative_prompt, model, max_duration)
    else:
        prompt, negative_prompt = _score_prompt(request, score, model), _negative_prompt(request, model)
        grid = score_grid(request, score, max_duration)
    return Recipe(
        model=model,
        prompt=prompt,
        negative_prompt=negative_prompt,
        temperature=request.temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        cfg_coef=default_guidance(model) if request.cfg_coef is None else request.cfg_coef,
        seed=_seed(request, score),
        sample_format=request.sample_format,
        outputs=_outputs(request, score, model),
        format=request.format or "wav",
        sample_rate=request.sample_rate or None,
        loudness=request.loudness or None,
        title=clean_title(request.title) if request.title else None,
        edit=_edit(request, model),
        audio=make_conditions(request, model),
        score=score.played if score else None,
        **grid._asdict(),
    )


def _composed_grid(
    request: GenerateRequest, prompt: str, negative_prompt: str | None, model: str, max_duration: float
) -> Grid:
    grid = make_grid(request, prompt, negative_prompt, model, max_duration)
    if request.audio is not UNSET:
        return grid._replace(bars=None, bpm=None, loop=False)  # the prompt's words may ask for bars
    return grid


def _seed(request: GenerateRequest, score: FoundScore | None) -> int:
    """A score that is played sounds the same with every seed."""
    if request.seed is not None:
        return request.seed
    return 0 if score is not None and score.played.action == "play" else secrets.randbelow(2**32)


def _score_prompt(request: GenerateRequest, score: FoundScore, model: str) -> str:
    if not may_write_scores(model):
        raise invalid(FieldError("score", f"The model {model} plays no scores. Use the model {STARTER}."))
    prompt = _prompt(request) if request.prompt is not None or request.components is not None else None
    if score.played.action == "orchestrate" and not score.played.programs:
        reading = read_prompt(prompt or "")
        if not (reading.instruments or reading.genre or reading.decade):
            raise invalid(FieldError("prompt", "Name instruments or a genre, such as string quartet or 8-bit."))
    if prompt is not None:
        return prompt
    return score.record.recipe.prompt if score.record and score.played.action == "play" else SCORE_PROMPT


def _outputs(request: GenerateRequest, score: FoundScore | None, model: str) -> tuple[OutputKind, ...]:
    """The requested outputs; the MIDI file as well where only that has the notes, so that they can be used again."""
    outputs = make_outputs(request.outputs or (), model)
    if score is None or score.played.action == "play" or "midi" in outputs:
        return outputs
    return make_outputs(("midi", *outputs), model)


def make_outputs(wanted: Collection[OutputKind], model: str) -> tuple[OutputKind, ...]:
    """The requested outputs in canonical order. Of a model in a folder, only the worker knows whether it has them.

    Raises:
        Problem: 422 for one that is named twice; 400 if the model cannot produce them.
    """
    if len(set(wanted)) < len(wanted):
        raise invalid(FieldError("outputs", "Name each output once."))
    if wanted and not may_write_scores(model):
        message = f"The model {model} writes no score, so it has no MIDI or stems. Omit outputs, or use the model "
        error = FieldError("outputs", f"{message}{STARTER}.")
        raise Problem(HTTPStatus.BAD_REQUEST, error.message, errors=[error])
    return tuple(kind for kind in OUTPUT_KINDS if kind in wanted)


def _check_format(request: GenerateRequest) -> None:
    """Refuse what a file of the requested format cannot hold."""
    if request.format == "flac" and request.sample_format == "float32":
        raise invalid(FieldError("sample_format", "flac has no float32. Use int24, or the format wav."))
    if request.format in ("ogg", "mp3") and request.sample_format != "int16":
        message = f"{request.format} has no sample format. Omit it, or use the format wav or flac."
        raise invalid(FieldError("sample_format", message))
    if request.format == "mp3" and request.sample_rate == 96_000:
        raise invalid(FieldError("sample_rate", "mp3 has at most 48000 Hz. Use that, or another format."))


def _edit(request: GenerateRequest, model: str) -> Edit | None:
    """The edit in the recipe of a child, which is made again."""
    edit = request.edit or None
    if edit is None:
        return None
    if edit.score is None:
        if model == STARTER or request.audio is not UNSET:
            message = f"It goes on from a take's audio, so it has no audio beside it, and the model is not {STARTER}."
            raise invalid(FieldError("edit", message))
        return edit
    if not may_write_scores(model):
        raise invalid(FieldError("edit", f"The model {model} writes no scores. Use the model {STARTER}, or omit it."))
    try:
        unpack_codes(edit.score)
    except ValueError as error:
        raise invalid(FieldError("edit.score", f"{error} Send it as it was in the recipe of the child.")) from error
    return edit


def clean_title(text: str) -> str:
    """The title on one line.

    Raises:
        Problem: 422 if nothing of it is visible, or it has control characters.
    """
    if not is_visible(text):
        raise invalid(FieldError("title", "It needs a visible character. Omit it, or give a name."))
    return reject_control_characters("title", " ".join(without_bidi_controls(text).split()))


def _prompt(request: GenerateRequest) -> str:
    if request.prompt is not None and request.components is not None:
        raise invalid(FieldError("components", "Give either prompt or components, not both."))
    if request.components is not None:
        return _prompt_from_components(request)
    return clean_prompt(request.prompt, "Describe the music in words, or give components.")


def _negative_prompt(request: GenerateRequest, model: str) -> str | None:
    """The negative prompt, unless the model could not follow it: guidance leads away from it."""
    text = request.negative_prompt
    if text is UNSET:
        return None
    if request.cfg_coef == 1.0 and not may_write_scores(model):
        message = f"{model} follows it by guidance only, and cfg_coef 1 is none. Use a larger cfg_coef, or omit it."
        raise invalid(FieldError("negative_prompt", message))
    return clean_prompt(text, "Describe in words what the music should not be, or omit it.", "negative_prompt")


def clean_prompt(text: str | None, advice: str, field: str = "prompt") -> str:
    """A prompt without bidirectional controls and spaces around it.

    Raises:
        Problem: 422 with `advice` if nothing of it is visible; 422 if it has control characters.
    """
    if text is None or not is_visible(text):
        raise invalid(FieldError(field, advice))
    return reject_control_characters(field, without_bidi_controls(text).strip())


def _prompt_from_components(request: GenerateRequest) -> str:
    assert request.components is not None
    try:
        prompt = build_prompt(request.components).structured_prompt
    except ComponentError as error:
        raise invalid(FieldError(f"components.{error.field}".rstrip("."), str(error))) from error
    if len(prompt) > MAX_PROMPT:
        raise invalid(
            FieldError("components", f"They make {len(prompt)} characters; at most {MAX_PROMPT} are allowed.")
        )
    return reject_control_characters("components", prompt)


def reject_control_characters(field: str, text: str) -> str:
    """Return the text unless it has control characters other than line breaks and tabs.

    Raises:
        Problem: 422 with the field's name.
    """
    for character in text:
        if unicodedata.category(character) == "Cc" and character not in "\n\r\t":
            raise invalid(FieldError(field, f"It holds the control character U+{ord(character):04X}; leave it out."))
    return text
