"""Warns where a prompt's words state another length than the recipe has."""

from shared.messages import Recipe
from shared.music import DEFAULT_METER, bar_seconds
from shared.prompt.reader import read_prompt

# Two lengths in seconds are the same if they differ by less than this.
AGREEING = 0.001


def length_warnings(recipe: Recipe) -> tuple[str, ...]:
    """A sentence if the recipe has another length than its prompt states: by a field, or by the longest duration."""
    reading = read_prompt(recipe.prompt)
    if reading.bars is not None:
        stated, is_kept = _in_bars(reading.bars), recipe.bars == reading.bars
    elif reading.seconds is not None:
        stated, is_kept = _in_seconds(reading.seconds), abs(recipe.duration - reading.seconds) <= _tolerance(recipe)
    else:
        return ()
    length = _in_seconds(recipe.duration) if recipe.bars is None else _in_bars(recipe.bars)
    if is_kept:
        return ()
    why = "the request's fields and the longest possible duration come before its words"
    return (f"The prompt says {stated}, but the music has {length}: {why}.",)


def _tolerance(recipe: Recipe) -> float:
    """Whole bars may differ by half a bar from the seconds that were asked for."""
    if recipe.bars is None or recipe.bpm is None:
        return AGREEING
    return float(bar_seconds(recipe.bpm, recipe.meter or DEFAULT_METER) / 2) + AGREEING


def _in_bars(bars: int) -> str:
    return "1 bar" if bars == 1 else f"{bars} bars"


def _in_seconds(seconds: float) -> str:
    return f"{round(seconds, 2):g} seconds"
