"""Finds what each part of a score of notes is: a bass, chords, a pad, a melody, an arpeggio or drums."""

import heapq
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from shared.note_score import NotePart, NoteScore, TimedNote
from worker.engine.sampler.gm_sounds import general_midi
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.note_parts import BASSES

# Notes that begin within this share of a quarter begin together; what overlaps by less is legato.
TOGETHER = 8
# Mean number of notes that sound at a time, from which a part plays chords.
CHORDAL = 1.7
# Quarters: the median length of the notes of a pad.
LONG = 2.0
# The lowest line is the bass if half of its notes lie below this key.
BASS_BELOW = 52
# Share of the moments in which at most two notes of a part of chords begin, from which its highest notes are a melody.
MELODIC = 0.4


class Texture(NamedTuple):
    """How a part is written.

    Attributes:
        key: the median of its keys.
        voices: how many of its notes sound at a time, in the mean of the moments at which notes begin.
        length: median length of its notes, in quarters.
        melodic: the share of the moments in which at most two notes begin.
    """

    key: float
    voices: float
    length: float
    melodic: float

    @property
    def is_chordal(self) -> bool:
        return self.voices >= CHORDAL


def moments(notes: Sequence[TimedNote], division: int) -> list[list[TimedNote]]:
    """The notes that begin together, in the order of their starts."""
    found: list[list[TimedNote]] = []
    for note in notes:
        if found and note.start - found[-1][0].start <= division // TOGETHER:
            found[-1].append(note)
        else:
            found.append([note])
    return found


def texture(part: NotePart, division: int) -> Texture:
    """How a part is written."""
    groups, ends, sounding = moments(part.notes, division), list[int](), 0
    for group in groups:
        while ends and ends[0] <= group[0].start + division // TOGETHER:
            heapq.heappop(ends)
        for note in group:
            heapq.heappush(ends, note.end)
        sounding += max(len(ends), len(group))
    return Texture(
        key=median(note.key for note in part.notes),
        voices=sounding / len(groups),
        length=median(note.end - note.start for note in part.notes) / division,
        melodic=sum(len(group) <= 2 for group in groups) / len(groups),
    )


def find_roles(score: NoteScore) -> dict[int, Stream]:
    """The stream that each part is like, by its index. Several parts may be like the same stream."""
    roles: dict[int, Stream] = {}
    lines: dict[int, Texture] = {}
    for index, part in enumerate(score.parts):
        if part.is_drums:
            roles[index] = Stream.DRUMS
            continue
        written = texture(part, score.division)
        if general_midi().programs[part.program].played_by in BASSES:
            roles[index] = Stream.BASS
        elif written.is_chordal:
            roles[index] = Stream.PAD if written.length >= LONG else Stream.CHORDS
        else:
            lines[index] = written
    return dict(sorted((roles | _lines(lines, has_bass=Stream.BASS in roles.values())).items()))


def _lines(lines: dict[int, Texture], *, has_bass: bool) -> dict[int, Stream]:
    """The roles of parts that play one note at a time: the highest one is the melody."""
    order = sorted(lines, key=lambda index: lines[index].key)
    roles = dict.fromkeys(order, Stream.ARPEGGIO)
    if order and not has_bass and lines[order[0]].key < BASS_BELOW:
        roles[order.pop(0)] = Stream.BASS
    if order:
        roles[order[-1]] = Stream.LEAD
    return roles
