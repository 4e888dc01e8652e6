"""The bars of a piece: their sections, chords, energy and streams."""

import random
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

from worker.engine.sampler.degrees import Degree
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Section

Streams = frozenset[Stream]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        index: from 0; `start` is its first step.
        section: the section that it belongs to.
        place: its index in the section, which has `length` bars.
        theme: index of its theme: 0 for verses, 1 for choruses, 2 for bridges.
        level: energy level, 0 to 2.
        push: how much louder than usual, in velocities; from the second level of scores on.
        chords: the chords, each with the step of the bar on which it begins.
        streams: the streams that play.
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
    push: int = 0

    @property
    def is_last(self) -> bool:
        """Whether it is the section's last bar."""
        return self.place == self.length - 1

    @property
    def fill(self) -> bool:
        """Whether the drums play a fill."""
        drums = Stream.DRUMS in self.streams
        return self.is_last and drums and self.length >= 4 and self.section not in (Section.BUILD, Section.OUTRO)

    @property
    def arrives(self) -> bool:
        """Whether a verse or chorus begins, so that the drums play a crash."""
        return self.place == 0 and self.index > 0 and self.section in (Section.VERSE, Section.CHORUS)

    def chord_at(self, step: int) -> Degree:
        """The chord that sounds at a step of the bar."""
        return next(chord for begin, chord in reversed(self.chords) if begin <= step)


@cache
def _forms() -> dict[str, list[str]]:
    data = files("training.music").joinpath("data/forms.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, list[str]])


def choose_form(name: str, source: random.Random) -> list[tuple[Section, int]]:
    """Draw a form: sections and their lengths in bars."""
    words = source.choice(_forms()[name]).split()
    return [
        (Section[word.rstrip("0123456789").upper()], int(word.lstrip("abcdefghijklmnopqrstuvwxyz"))) for word in words
    ]
