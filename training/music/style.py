"""The style of each genre, and the changes that a mood makes, from data/genres and data/moods.json."""

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Rows = dict[str, str]
"""A groove: a row of sixteenth notes for each kit piece, by its letter."""

Levels = tuple[tuple[str, ...], ...]
"""Patterns for low, medium and high energy; a missing level uses the one below it."""


class Style(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A genre's idioms. training/music/pattern.py explains the letters of patterns.

    Attributes:
        bpm: the range of usual tempos, inclusive.
        minor: probability of a minor key.
        energy: energy level without a mood, 0 to 2.
        waltz: probability of three beats a bar.
        swing: weights of the three swings.
        major: chord progressions in major; `in_minor` are those in minor.
        colored: whether a mood may replace progressions.
        melody: the scale of its melodies, as in `harmony.melody_scale`.
        phrases: orders of a melody's motifs, as in training/music/players/lead.py.
        roles: preferred streams by instrument: letters as in arrangement.py.
        extras: probability of each additional instrument.
        percussion: the kit for "percussion".
        wander: whether the bass changes its pattern in each bar, as walking basses do.
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
    """All styles by genre."""
    folder = files("training.music").joinpath("data/genres")
    found = [msgspec.json.decode(file.read_bytes(), type=Style) for file in folder.iterdir()]
    return {style.name: style for style in sorted(found, key=lambda style: style.name)}


class Mood(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mood's changes to a style.

    Attributes:
        energy: added to the style's energy level.
        minor: probability of a minor key.
        tempo: position in the style's range of tempos, from 0 (slow) to 1 (fast).
        register: of the melody; -1 is lower, 1 higher.
        velocity: -1 is softer, 1 harder.
        articulation: how long notes are held.
        major: chord progressions with the mood in major; `in_minor` are those in minor.
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
