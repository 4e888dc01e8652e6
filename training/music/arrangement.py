"""Chooses the streams of each section, from data/arrangements.json, which has a letter for each stream."""

import random
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import msgspec

from training.music.form import Streams
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Section

LETTERS = dict(zip("BCPALDR", list(Stream)[1:], strict=True))
_HARMONIC = (Stream.CHORDS, Stream.PAD, Stream.ARPEGGIO)
_FULL = (Section.VERSE, Section.CHORUS)
# Sections that need no chords, since a beat is enough.
_BARE = (Section.INTRO, Section.BREAK, Section.OUTRO)


@cache
def _arrangements() -> dict[str, dict[str, list[str]]]:
    data = files("training.music").joinpath("data/arrangements.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, dict[str, list[str]]])


def arrange(
    name: str,
    form: Sequence[tuple[Section, int]],
    parts: dict[Stream, tuple[str, ...]],
    featured: Streams,
    source: random.Random,
) -> list[Streams]:
    """The streams of each section. Sections of the same kind have the same streams, and each stream plays somewhere.

    `featured` streams play in all verses and choruses, so that a short excerpt has them too.
    """
    chosen: dict[Section, Streams] = {}
    for section in sorted({section for section, _ in form}):
        playing = _of(name, section, parts, source) | (featured if section in _FULL else frozenset())
        chosen[section] = _one_hand(_with_carrier(playing, section, parts), section, parts)
    unheard = set(parts) - set().union(*chosen.values())
    fullest = max(chosen, key=lambda section: len(chosen[section]))
    chosen[fullest] |= unheard
    return [chosen[section] for section, _ in form]


def _of(name: str, section: Section, parts: dict[Stream, tuple[str, ...]], source: random.Random) -> Streams:
    letters = source.choice(_arrangements()[name][section.name.lower()])
    return frozenset(LETTERS[letter] for letter in letters) & frozenset(parts)


def _one_hand(streams: Streams, section: Section, parts: dict[Stream, tuple[str, ...]]) -> Streams:
    """An instrument with both chords and arpeggios plays arpeggios in quiet sections, chords in the others."""
    if parts.get(Stream.CHORDS) != parts.get(Stream.ARPEGGIO) or not {Stream.CHORDS, Stream.ARPEGGIO} & streams:
        return streams
    loud = section in (Section.CHORUS, Section.BRIDGE)
    return streams - {Stream.CHORDS, Stream.ARPEGGIO} | {Stream.CHORDS if loud else Stream.ARPEGGIO}


def _with_carrier(streams: Streams, section: Section, parts: dict[Stream, tuple[str, ...]]) -> Streams:
    """Add a stream if a section would have no chords, or only streams that pause within it."""
    harmonic = [stream for stream in _HARMONIC if stream in parts]
    if streams & set(harmonic) or (Stream.DRUMS in streams and (section in _BARE or not harmonic)):
        return streams
    if harmonic:
        return streams | {harmonic[0]}
    return streams | ({Stream.DRUMS} if Stream.DRUMS in parts else frozenset(parts))
