"""The numbers of a score: what a model reads and writes, one row a stream and one column a sixteenth.

In every stream 0 says nothing new. In all but the conductor's 1 is a stop, and from 2 on follow the events:

    note     2 + ((instrument * 3 + velocity) * 60 + pitch - 24)
    chord    2 + ((instrument * 2 + velocity) * 72 + root * 6 + quality)
    hits     2 + ((kit * 3 + accent) * 2 ** pieces + the pieces' bits)

The conductor's are in worker/engine/sampler/conductor.py.
"""

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.conductor import bar_codes, read_header, read_section
from worker.engine.sampler.instruments import CHORD_STREAMS, CRACKLE, INSTRUMENTS, KITS, NOTE_STREAMS, PIECES, Stream
from worker.engine.sampler.score import (
    HIGHEST_PITCH,
    LOWEST_PITCH,
    Chord,
    Event,
    Header,
    Hits,
    Note,
    Quality,
    Score,
    Section,
    Stop,
    check_event,
)

CARD = 2048
NOTHING, STOP, FIRST = 0, 1, 2

PITCHES = HIGHEST_PITCH - LOWEST_PITCH + 1
VELOCITIES = 3
CHORD_VELOCITIES = 2
QUALITIES = len(Quality)
CHORDS = 12 * QUALITIES

Codes = NDArray[np.int64]


def encode(score: Score) -> Codes:
    """The codes of a score, int64 of shape [8, steps]."""
    codes = np.zeros((len(Stream), score.steps), np.int64)
    for bar, section in enumerate(score.sections):
        start = bar * score.header.steps
        row = bar_codes(score.header, section)
        codes[Stream.CONDUCTOR, start : start + len(row)] = row[: score.steps - start]
    if score.end_step is not None:
        codes[Stream.BASS :, score.end_step] = STOP
    for stream, events in score.events.items():
        for step, event in events.items():
            codes[stream, step] = event_code(stream, event)
    return codes


def decode(codes: Codes) -> Score:
    """The score of some codes: the inverse of `encode`, and for a model's slips the score nearest to them.

    The first tempo and the first key found hold for all; what cannot be read is nothing new.

    Args:
        codes: integers of shape [8, steps], of any values.
    """
    header = read_header(codes[Stream.CONDUCTOR])
    sections = _sections(codes[Stream.CONDUCTOR], header)
    ended = bool(sections) and sections[-1] is Section.END
    end = (len(sections) - 1) * header.steps if ended else codes.shape[1]
    events = {}
    for stream in list(Stream)[1:]:
        found = {step: event_of(stream, int(codes[stream, step])) for step in np.flatnonzero(codes[stream, : end + 1])}
        events[stream] = {
            int(step): event
            for step, event in found.items()
            if event is not None and not (step == end and isinstance(event, Stop))
        }
    steps = min(codes.shape[1], len(sections) * header.steps)
    return Score(header, sections, steps, {stream: row for stream, row in events.items() if row})


def _sections(conductor: Codes, header: Header) -> tuple[Section, ...]:
    """A bar whose section cannot be read goes on with the one before."""
    sections = [Section.VERSE]
    for start in range(0, len(conductor), header.steps):
        found = read_section(int(conductor[start + 2])) if start + 2 < len(conductor) else None
        sections.append(sections[-1] if found is None else found)
        if found is Section.END:
            break
    return tuple(sections[1:])


def event_code(stream: Stream, event: Event) -> int:
    """The code of an event in a stream.

    Raises:
        ValueError: if the stream cannot play it.
    """
    check_event(stream, event)
    match event:
        case Stop():
            return STOP
        case Note():
            instrument = INSTRUMENTS[stream].index(event.instrument)
            return FIRST + (instrument * VELOCITIES + event.velocity) * PITCHES + event.pitch - LOWEST_PITCH
        case Chord():
            instrument = INSTRUMENTS[stream].index(event.instrument)
            chord = event.root * QUALITIES + event.quality
            return FIRST + (instrument * CHORD_VELOCITIES + event.velocity) * CHORDS + chord
        case Hits():
            names = PIECES[stream]
            bits = sum(1 << names.index(piece) for piece in event.pieces)
            return FIRST + (KITS[stream].index(event.kit) * VELOCITIES + event.accent << len(names)) + bits


def event_of(stream: Stream, code: int) -> Event | None:
    """The event of a code, or None where it says nothing new, or nothing that can be read."""
    if code < STOP or code >= CARD or stream is Stream.CONDUCTOR:
        return None
    if code == STOP:
        return Stop()
    if stream in NOTE_STREAMS:
        return _note(stream, code - FIRST)
    if stream in CHORD_STREAMS:
        return _chord(stream, code - FIRST)
    return _hits(stream, code - FIRST)


def _note(stream: Stream, index: int) -> Note | None:
    rest, pitch = divmod(index, PITCHES)
    instrument, velocity = divmod(rest, VELOCITIES)
    if instrument >= len(INSTRUMENTS[stream]):
        return None
    return Note(INSTRUMENTS[stream][instrument], pitch + LOWEST_PITCH, velocity)


def _chord(stream: Stream, index: int) -> Chord | None:
    rest, chord = divmod(index, CHORDS)
    instrument, velocity = divmod(rest, CHORD_VELOCITIES)
    if instrument >= len(INSTRUMENTS[stream]):
        return None
    root, quality = divmod(chord, QUALITIES)
    return Chord(INSTRUMENTS[stream][instrument], root, Quality(quality), velocity)


def _hits(stream: Stream, index: int) -> Hits | None:
    names = PIECES[stream]
    rest, bits = divmod(index, 1 << len(names))
    kit, accent = divmod(rest, VELOCITIES)
    if kit >= len(KITS[stream]) or (bits == 0 and KITS[stream][kit] != CRACKLE):
        return None
    return Hits(KITS[stream][kit], frozenset(name for i, name in enumerate(names) if bits >> i & 1), accent)
