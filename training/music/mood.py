"""What a mood does to any style. Moods are data: data/moods.json."""

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec


class Mood(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes to a style.

    Attributes:
        energy: levels more or less than the style's own.
        minor: how often in minor.
        tempo: where in the style's range of tempos, 0 is its slow end and 1 its fast one.
        register: the melody's place, -1 is lower, 1 higher.
        velocity: -1 is softer, 1 harder.
        articulation: how long notes are held.
        color: progressions that have the mood, in major and in minor.
    """

    name: str
    energy: int
    minor: float
    tempo: float
    register: int
    velocity: int
    articulation: Literal["legato", "normal", "staccato"]
    major: tuple[str, ...]
    in_minor: tuple[str, ...]


@cache
def moods() -> dict[str, Mood]:
    """All moods by name."""
    data = files("training.music").joinpath("data/moods.json").read_bytes()
    return {mood.name: mood for mood in msgspec.json.decode(data, type=tuple[Mood, ...])}
