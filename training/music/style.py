"""The style of each genre, and the changes that a mood makes, from data/genres and data/moods.json.

Pieces have the level of their scores. A genre of a later level does not exist in the first, and `later` holds the
fields of a first genre that the second level replaces: so the first level stays what the shipped checkpoint knows.
"""

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from gateway.prompts import VOCABULARY
from worker.engine.sampler.score import LEVEL

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
        waltz: probability of three beats a bar, in the first level.
        swing: weights of the swings, from 0 on.
        major: chord progressions in major; `in_minor` are those in minor.
        colored: whether a mood may replace progressions.
        melody: the scale of its melodies, as in `harmony.melody_scale`.
        phrases: orders of a melody's motifs, as in training/music/players/lead.py.
        roles: preferred streams by instrument: letters as in arrangement.py.
        extras: probability of each additional instrument.
        percussion: the kit for "percussion".
        wander: whether the bass changes its pattern in each bar, as walking basses do.
        level: the first level that has it.
        names: what captions call it; none are those of data/synonyms.json.
        instruments: its usual ones; none are the vocabulary's.
        meters: probability of each meter but 4/4, from the second level on.
        compound: its patterns in meters of dotted beats, in data/compound.json.
        walk: probability that the bass walks.
        counter: probability that arpeggios are a second melody.
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
    swing: tuple[float, ...] = (1.0, 0.0, 0.0)
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
    level: int = 1
    names: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    meters: dict[str, float] = {}
    compound: str = "ballad"
    walk: float = 0.0
    counter: float = 0.0


_USUAL = {genre.name: genre.instruments for genre in VOCABULARY.genres}


@cache
def styles(level: int = LEVEL) -> dict[str, Style]:
    """All styles of a level by genre."""
    folder = files("training.music").joinpath("data/genres")
    found = []
    for file in folder.iterdir():
        fields = msgspec.json.decode(file.read_bytes())
        later = fields.pop("later", {})
        found.append(msgspec.convert({**fields, **(later if level > 1 else {})}, Style))
    return {style.name: style for style in sorted(found, key=lambda style: style.name) if style.level <= level}


def usual_instruments(style: Style) -> tuple[str, ...]:
    """The instruments that play if none are named."""
    return style.instruments or _USUAL[style.name]


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
