"""The bars of a piece: their sections, chords, energy, and who plays in them."""

import random
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

from training.music.harmony import Degree
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Section

Streams = frozenset[Stream]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        index: from 0; `start` is its first step.
        section: what part of the piece it is in.
        place: its place in the section of `length` bars.
        theme: whose material it has: 0 of verses, 1 of choruses, 2 of bridges.
        level: energy, 0 to 2.
        chords: by the step within the bar on which they begin.
        streams: who plays.
    """

    index: int
    start: int
    section: Section
    place: int
    length: int
    theme: int
    level: int
    chords: tuple[tuple[int, Degree], ...]
    streams: Streams

    @property
    def is_last(self) -> bool:
        """Whether the section ends with it."""
        return self.place == self.length - 1

    @property
    def fill(self) -> bool:
        """Whether drums end the section with a fill."""
        drums = Stream.DRUMS in self.streams
        return self.is_last and drums and self.length >= 4 and self.section is not Section.OUTRO

    @property
    def arrives(self) -> bool:
        """Whether a new section begins with weight."""
        return self.place == 0 and self.index > 0 and self.section in (Section.VERSE, Section.CHORUS)

    def chord_at(self, step: int) -> Degree:
        """The chord that sounds at a step of the bar."""
        return next(chord for begin, chord in reversed(self.chords) if begin <= step)


@cache
def _forms() -> dict[str, list[str]]:
    data = files("training.music").joinpath("data/forms.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, list[str]])


def choose_form(name: str, source: random.Random) -> list[tuple[Section, int]]:
    """Sections and their lengths in bars."""
    words = source.choice(_forms()[name]).split()
    return [
        (Section[word.rstrip("0123456789").upper()], int(word.lstrip("abcdefghijklmnopqrstuvwxyz"))) for word in words
    ]
