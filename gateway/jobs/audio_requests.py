"""Checks which audio a request is to be conditioned on, as far as that needs no look at the audio."""

from msgspec import UNSET

from gateway.problems import FieldError, invalid
from gateway.schemas import GenerateRequest
from shared.audio_conditions import AudioConditions
from shared.models import STARTER, may_follow_melodies


def make_conditions(request: GenerateRequest, model: str) -> AudioConditions | None:
    """The audio of a request, if it has any. Of a model in a folder, only the worker knows what it can follow.

    Raises:
        Problem: 422 with the field's name.
    """
    audio = request.audio
    if audio is UNSET:
        return None
    if model == STARTER:
        message = (
            f"The model {STARTER} writes scores and hears no audio. POST to /api/v1/jobs/ID/extend to go on from "
            "one of its own takes, or use a model that makes audio, such as small."
        )
        raise invalid(FieldError("audio", message))
    field = f"audio.{audio.kind}"
    if audio.melody is not None and not may_follow_melodies(model):
        raise invalid(FieldError(field, f"The model {model} follows no melody. Use one that does, such as melody."))
    if (audio.source.audio_id is None) == (audio.source.job_id is None):
        raise invalid(FieldError(field, "Give either audio_id or job_id."))
    _check_grid(request)
    return audio


def _check_grid(request: GenerateRequest) -> None:
    """Refuse a grid: the audio has a tempo, and fitting the take to another would cut and stretch it."""
    asked = [name for name in ("bars", "bpm", "loop") if getattr(request, name)]
    if asked:
        message = "A take that is conditioned on audio has its tempo, and no bars. Leave it out, and give duration."
        raise invalid(FieldError(asked[0], message))
