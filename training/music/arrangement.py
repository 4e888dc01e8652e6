"""Who plays in which section. Arrangements are data: data/arrangements.json, with a letter for each stream."""

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
# Sections that need no chords: a beat alone carries them.
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
    """The streams of each section; sections of a kind are played alike, and everybody plays somewhere.

    Those who are `featured` play from the first verse on, so that a short clip has them too.
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
    """A player who has both chords and arpeggios picks in the quiet sections and strums in the others."""
    if parts.get(Stream.CHORDS) != parts.get(Stream.ARPEGGIO) or not {Stream.CHORDS, Stream.ARPEGGIO} & streams:
        return streams
    loud = section in (Section.CHORUS, Section.BRIDGE)
    return streams - {Stream.CHORDS, Stream.ARPEGGIO} | {Stream.CHORDS if loud else Stream.ARPEGGIO}


def _with_carrier(streams: Streams, section: Section, parts: dict[Stream, tuple[str, ...]]) -> Streams:
    """No section is left to those who pause within it, and none that matters is without its chords."""
    harmonic = [stream for stream in _HARMONIC if stream in parts]
    if streams & set(harmonic) or (Stream.DRUMS in streams and (section in _BARE or not harmonic)):
        return streams
    if harmonic:
        return streams | {harmonic[0]}
    return streams | ({Stream.DRUMS} if Stream.DRUMS in parts else frozenset(parts))
