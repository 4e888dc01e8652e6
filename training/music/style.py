"""How a genre is played, and what a mood changes. Both are data: data/genres and data/moods.json."""

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Rows = dict[str, str]
"""A groove: a row of sixteenths for each piece that is hit, by the piece's letter."""

Levels = tuple[tuple[str, ...], ...]
"""Patterns for little, medium and high energy; a missing level is played as the one below it."""


class Style(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A genre's idioms; the letters of patterns are explained in training/music/pattern.py.

    Attributes:
        bpm: the usual tempos, both ends included.
        minor: how often its pieces are in minor.
        energy: its level when no mood changes it, 0 to 2.
        waltz: how often its pieces have three beats.
        swing: weights of the three swings.
        major: progressions of its pieces in major, likewise `in_minor`.
        colored: whether a mood may bring its own progressions.
        melody: the scale of its melodies, as in `harmony.melody_scale`.
        phrases: orders of a melody's bars, as in training/music/players/lead.py.
        roles: where an instrument plays first here, by instrument: letters of streams, as in arrangement.py.
        extras: what else may join the genre's usual instruments, and how often.
        percussion: the set that plays "percussion" here.
        wander: whether the bass takes another pattern in each bar, as walking basses do.
    """

    name: str
    bpm: tuple[int, int]
    minor: float
    energy: int
    major: tuple[str, ...]
    in_minor: tuple[str, ...]
    drums: tuple[tuple[Rows, ...], ...]
    bass: Levels
    comping: Levels
    arpeggio: Levels
    lead: Levels
    phrases: tuple[str, ...]
    forms: str
    arrangement: str
    kits: tuple[str, ...]
    fills: str
    waltz: float = 0.0
    swing: tuple[float, float, float] = (1.0, 0.0, 0.0)
    colored: bool = True
    melody: str = "scale"
    roles: dict[str, str] = {}
    extras: dict[str, float] = {}
    percussion: str = "percussion"
    shaker: tuple[Rows, ...] = ({"s": "x.x.x.x.x.x.x.x."}, {"s": "..x...x...x...x."})
    congas: tuple[Rows, ...] = ({"c": "..x...x...x.x...", "C": "......x.......xx"},)
    timpani: tuple[Rows, ...] = ({"m": "X.......x......."}, {"m": "X.........x.x.x."})
    crash: bool = True
    wander: bool = False
    ending: str = "button"


@cache
def styles() -> dict[str, Style]:
    """All styles by the genre's name."""
    folder = files("training.music").joinpath("data/genres")
    found = [msgspec.json.decode(file.read_bytes(), type=Style) for file in folder.iterdir()]
    return {style.name: style for style in sorted(found, key=lambda style: style.name)}


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
