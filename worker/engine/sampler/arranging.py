"""Makes of a score of notes what a recipe asks for, before it is played."""

from collections.abc import Callable, Sequence

from shared.messages import Recipe
from shared.note_score import NoteScore
from shared.played_score import COMPOSING
from worker.engine.sampler.added_parts import Candidate, add_parts
from worker.engine.sampler.addition import Addition, plan_addition
from worker.engine.sampler.arrangement import Arrangement
from worker.engine.sampler.orchestration import orchestrate
from worker.engine.sampler.wish import read_recipe


def arrange(
    recipe: Recipe, score: NoteScore, samples: int, level: int, compose: Callable[[Addition], Sequence[Candidate]]
) -> NoteScore | Arrangement:
    """The score as it is played.

    Args:
        recipe: says what becomes of the score.
        score: that it refers to.
        samples: length of the audio, without the tail of a loop.
        level: of the model's scores.
        compose: has the model compose the candidates of an addition.

    Raises:
        ValueError: if the score does not allow it; the message is for the client.
    """
    played = recipe.score
    assert played is not None
    if played.action == "orchestrate":
        return orchestrate(score, played, read_recipe(recipe))
    if played.action in COMPOSING:
        addition = plan_addition(recipe, played, score, samples, level)
        return add_parts(addition, compose(addition))
    return score
