"""Checks that a worker's model can do what a recipe asks for, before anything is generated."""

from shared.audio_conditions import ConditionKind
from shared.messages import Recipe
from shared.models import STARTER
from worker.engine.host.engine_job import GenerationFailedError
from worker.engine.interface import ModelInfo

_CAPABLE: dict[ConditionKind, str] = {
    "continue_from": "only models whose codec is EnCodec can, such as small",
    "melody": "only models that were trained with melodies can, such as melody",
}


def check_possible(recipe: Recipe, info: ModelInfo) -> None:
    """Fail the job if the model has no such outputs, works on no take, or is not conditioned on audio.

    Raises:
        GenerationFailedError: says what does.
    """
    works_on_score = recipe.score is not None or (recipe.edit is not None and recipe.parent_audio is None)
    if not set(recipe.outputs) <= set(info.outputs) or (works_on_score and not info.outputs):
        raise GenerationFailedError(
            "unsupported",
            f"The model {recipe.model} gives no MIDI or stems on the engine {info.engine}, and works on no "
            f"take or score: only models that write scores do, such as {STARTER}, on the engine batching. "
            "Leave outputs out, or ask for one.",
        )
    if recipe.parent_audio is not None and "continue_from" not in info.conditions:
        raise GenerationFailedError(
            "unsupported",
            f"The model {recipe.model} cannot go on from the audio of a take on the engine {info.engine}: "
            f"{_CAPABLE['continue_from']}, on the engine batching.",
        )
    if recipe.audio is not None and recipe.audio.kind not in info.conditions:
        raise GenerationFailedError(
            "unsupported",
            f"The model {recipe.model} cannot be conditioned on audio by {recipe.audio.kind} on the engine "
            f"{info.engine}: {_CAPABLE[recipe.audio.kind]}, on the engine batching. Leave audio out, or ask for one.",
        )
