"""Rephrases a recipe for models that make audio directly: they have no fields for tempo, key and meter."""

import zlib
from fractions import Fraction

from msgspec.structs import replace

from shared.messages import Recipe
from shared.music import DEFAULT_METER, bar_seconds, parse_key
from shared.prompt.reader import read_prompt

# How often the model is asked before a take counts that does not meet the tempo.
MOST_TRIES = 3
# The largest share by which a take's tempo is changed; time-stretching by more is audible.
STRETCH_LIMIT = 0.06
# A take may begin within a bar, and its first bar may lack the moment before the downbeat that a loop needs.
SPARE_BARS = 2
# In seconds; two bars of 4/4 at the slowest tempo.
MOST_SPARE = 12.0


def engine_recipe(recipe: Recipe, try_number: int) -> Recipe:
    """What to ask a model that makes audio directly.

    The prompt gets the tempo, the key and the meter that its own words do not state. With a tempo the duration gets
    what cutting at a downbeat and stretching can take away. The seed differs for each try.

    Args:
        recipe: as the client sent it.
        try_number: from 0, which has the recipe's own seed.
    """
    return replace(
        recipe,
        prompt=engine_prompt(recipe),
        duration=engine_seconds(recipe),
        seed=try_seed(recipe.seed, try_number),
    )


def try_seed(seed: int, try_number: int) -> int:
    """The seed of a try: the same for the same recipe, and unlike the neighbouring seeds that clients use."""
    if try_number == 0:
        return seed
    return zlib.crc32(f"{seed} {try_number}".encode())


def engine_seconds(recipe: Recipe) -> float:
    """The duration to ask for: enough to cut at a downbeat and to stretch."""
    if recipe.bpm is None:
        return recipe.duration
    spare = min(SPARE_BARS * float(bar_seconds(recipe.bpm, recipe.meter or DEFAULT_METER)), MOST_SPARE)
    return recipe.duration * (1 + STRETCH_LIMIT) + spare


def most_engine_seconds(max_duration: float) -> float:
    """The longest duration that `engine_recipe` asks for, if recipes have at most `max_duration` seconds."""
    return max_duration * (1 + STRETCH_LIMIT) + MOST_SPARE


def engine_prompt(recipe: Recipe) -> str:
    """The prompt with metadata in the form in which MusicGen saw it in training: "words. bpm: 124. key: A minor".

    The form is that of `augment_music_info_description` in audiocraft 1.3, audiocraft/data/music_dataset.py.
    """
    said = read_prompt(recipe.prompt)
    added = []
    if recipe.bpm is not None and not (said.tempo and said.tempo[0] == said.tempo[1] == Fraction(recipe.bpm)):
        added.append(f"bpm: {recipe.bpm:g}")
    if recipe.key is not None and said.key != parse_key(recipe.key):
        added.append(f"key: {recipe.key}")
    if recipe.meter not in (None, DEFAULT_METER, said.meter):  # 4/4 goes without saying
        added.append(f"{recipe.meter} time")
    return ". ".join([recipe.prompt.rstrip(". "), *added]) if added else recipe.prompt
