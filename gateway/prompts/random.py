"""Random prompts from matching words."""

import random
from typing import Literal

from gateway.prompts.builder import PromptComponents
from gateway.prompts.vocabulary import VOCABULARY

Complexity = Literal["simple", "medium", "complex"]

_DETAILS = (
    "with a memorable melody",
    "with a long build-up and a strong ending",
    "with a steady groove and small variations",
    "with warm analog sound",
    "with a spacious reverb",
    "with a call and response between the instruments",
)


def random_components(complexity: Complexity, source: random.Random) -> PromptComponents:
    """Matching fields: `simple` is genre and mood; `medium` adds tempo and instruments, `complex` details."""
    genre = source.choice(VOCABULARY.genres)
    mood = source.choice(VOCABULARY.moods)
    if complexity == "simple":
        return PromptComponents(genre=genre.name, mood=mood)
    tempo = source.choice(VOCABULARY.tempos)
    if complexity == "medium":
        instruments = source.sample(genre.instruments, 2)
        return PromptComponents(genre=genre.name, tempo=tempo.name, mood=mood, instruments=tuple(instruments))
    return PromptComponents(
        genre=genre.name,
        tempo=f"{source.randint(tempo.bpm_min, tempo.bpm_max)} BPM",
        mood=mood,
        instruments=tuple(source.sample(genre.instruments, 3)),
        custom_text=source.choice(_DETAILS),
    )
