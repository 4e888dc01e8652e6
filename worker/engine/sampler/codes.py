"""The codes of a score, which a model reads and writes: one row per stream, one column per sixteenth note.

Code 0 means "no event" in every stream. In all streams but the conductor's, 1 is a stop and codes from 2 on are events:

    note     2 + velocity * 60 + (pitch - 24 - shift) mod 60
    chord    2 + velocity * 72 + (root - key) mod 12 * 6 + quality, for the first 6 qualities
             290 + velocity * 24 + (root - key) mod 12 * 2 + quality - 6, for the others
    hits     2 + accent * 2 ** pieces + the pieces' bits
    roll     2 + (strikes - 2) * 2 ** pieces, of the drums' closed hi-hat

The conductor (worker/engine/sampler/conductor.py) declares the instruments and the key, so pieces that differ only in
those have the same events. `shift` is the key, from -5 to 6. The first bar of codes is the count-in.
"""

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.conductor import (
    EMPTY,
    SECTION_PLACE,
    Conductor,
    Players,
    bar_codes,
    name_of,
    players_of,
    read_players,
    read_section,
)
from worker.engine.sampler.instruments import CHORD_STREAMS, CRACKLE, NOTE_STREAMS, PIECES, PLAYERS, Stream
from worker.engine.sampler.score import (
    HIGHEST_PITCH,
    LEVEL,
    LOWEST_PITCH,
    ROLLED,
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
    player_of,
)

NOTHING, STOP, FIRST = 0, 1, 2

PITCHES = HIGHEST_PITCH - LOWEST_PITCH + 1
# The qualities of level 1. The codes of the others follow those of all velocities.
QUALITIES = 6
CHORDS = 12 * QUALITIES
LATER_QUALITIES = len(Quality) - QUALITIES
LATER_CHORDS = 12 * LATER_QUALITIES
CHORD_VELOCITIES = 4
# How many velocities, and accents of percussion, each level has; see `score.LEVEL`.
_VELOCITIES, _ACCENTS = {1: 3, 2: 6}, 3
# One more than the largest code, which is all drums at once with the hardest accent.
CODEBOOK_SIZE = FIRST + (3 << len(PIECES[Stream.DRUMS]))

Codes = NDArray[np.int64]


def encode(score: Score) -> Codes:
    """Encode a score as int64 of shape [8, steps of one bar + steps of the score]."""
    header, played = score.header, score.steps
    codes = np.zeros((len(Stream), header.steps + played), np.int64)
    rosters = _rosters(score)
    # The count-in declares the first bar's section.
    for bar, section in enumerate((*score.sections, Section.VERSE)[:1] + score.sections):
        start = bar * header.steps
        row = bar_codes(header, section, rosters[min(bar, len(rosters) - 1)])
        codes[Stream.CONDUCTOR, start : start + len(row)] = row[: codes.shape[1] - start]
    if score.end_step is not None:
        codes[Stream.BASS :, header.steps + score.end_step] = STOP
    for stream, events in score.events.items():
        for step, event in events.items():
            codes[stream, header.steps + step] = event_code(stream, event, header.key)
    return codes


def _rosters(score: Score) -> list[Players]:
    """The players of each bar. A bar without events keeps the previous player, or has the first one to come."""
    columns = []
    for stream in PLAYERS:
        names: list[str | None] = [None] * len(score.sections)
        for step, event in sorted(score.events.get(stream, {}).items()):
            bar = step // score.header.steps
            names[bar] = names[bar] or player_of(event)
        before = next((name for name in names if name), None)
        columns.append([before := name or before for name in names])
    return [players_of(names) for names in zip(*columns, strict=True)] or [EMPTY]


def decode(codes: Codes) -> Score:
    """Decode codes to a score: the inverse of `encode`, tolerant of invalid codes.

    Tempo, meter and key of the first bar hold for all bars; invalid codes count as "no event".

    Args:
        codes: integers of shape [8, steps], of any values.
    """
    conductor = Conductor()
    for first, code in enumerate(codes[Stream.CONDUCTOR]):
        header = conductor.header
        conductor.read(int(code))
        if not conductor.counts_in:
            return _decode(codes[:, first:], header, conductor)
    return Score(conductor.header, (), 0)


def _decode(codes: Codes, header: Header, conductor: Conductor) -> Score:
    """Decode from the first bar on. `conductor` has read its first code."""
    sections: list[Section] = []
    events: dict[Stream, dict[int, Event]] = {stream: {} for stream in PLAYERS}
    section, players, steps = conductor.section, conductor.players, 0
    for start in range(0, codes.shape[1], header.steps):
        bar = codes[:, start : start + header.steps]
        found = read_section(int(bar[0, SECTION_PLACE])) if bar.shape[1] > SECTION_PLACE else None
        section = section if found is None else found
        sections.append(section)
        steps += bar.shape[1]
        if section is Section.END:
            _read_events(bar[:, :1], start, players, header.key, events, at_end=True)
            break
        _read_events(bar, start, players, header.key, events)
        for code in bar[0, SECTION_PLACE + 1 :]:
            players = read_players(int(code), players)
    return Score(header, tuple(sections), steps, {stream: row for stream, row in events.items() if row})


def _read_events(
    bar: Codes, start: int, players: Players, key: int, events: dict[Stream, dict[int, Event]], *, at_end: bool = False
) -> None:
    """Add a bar's events to `events`, but no stops at the piece's end."""
    for stream in PLAYERS:
        name = name_of(stream, players)
        for step in np.flatnonzero(bar[stream]):
            event = event_of(stream, int(bar[stream, step]), name, key)
            if event is not None and not (at_end and isinstance(event, Stop)):
                events[stream][start + int(step)] = event


def event_code(stream: Stream, event: Event, key: int) -> int:
    """Encode an event of a stream, in a piece whose tonic is `key`.

    Raises:
        ValueError: if the stream cannot play the event.
    """
    check_event(stream, event)
    match event:
        case Stop():
            return STOP
        case Note():
            return FIRST + event.velocity * PITCHES + (event.pitch - LOWEST_PITCH - _shift(key)) % PITCHES
        case Chord():
            return FIRST + _chord_index(event, (event.root - key) % 12)
        case Hits(roll=roll) if roll > 1:
            return FIRST + (roll - 2 << len(PIECES[stream]))
        case Hits():
            names = PIECES[stream]
            return FIRST + (event.accent << len(names)) + sum(1 << names.index(piece) for piece in event.pieces)


def _chord_index(chord: Chord, root: int) -> int:
    if chord.quality < QUALITIES:
        return chord.velocity * CHORDS + root * QUALITIES + chord.quality
    first = CHORD_VELOCITIES * CHORDS + chord.velocity * LATER_CHORDS
    return first + root * LATER_QUALITIES + chord.quality - QUALITIES


def _chord(index: int, player: str, key: int) -> Chord | None:
    velocity, chord = divmod(index, CHORDS)
    root, quality = divmod(chord, QUALITIES)
    if velocity >= CHORD_VELOCITIES:
        velocity, chord = divmod(index - CHORD_VELOCITIES * CHORDS, LATER_CHORDS)
        root, quality = divmod(chord, LATER_QUALITIES)
        quality += QUALITIES
    if velocity >= CHORD_VELOCITIES:
        return None
    return Chord(player, (root + key) % 12, Quality(quality), velocity)


def event_of(stream: Stream, code: int, player: str | None, key: int) -> Event | None:
    """Decode a code. None for "no event", for invalid codes, and for streams without a player.

    Args:
        stream: the code's stream.
        code: any number.
        player: the stream's current instrument or kit.
        key: the piece's tonic.
    """
    if code == STOP:
        return Stop()
    if code < FIRST or player is None:
        return None
    if stream in NOTE_STREAMS:
        velocity, pitch = divmod(code - FIRST, PITCHES)
        return Note(player, (pitch + _shift(key)) % PITCHES + LOWEST_PITCH, velocity) if velocity < 6 else None
    if stream in CHORD_STREAMS:
        return _chord(code - FIRST, player, key)
    return _hits(stream, code - FIRST, player)


def readable(level: int = LEVEL) -> NDArray[np.bool_]:
    """Which codes are valid in each stream but the conductor's, in scores of a level: bool of shape [7, codes]."""
    table = np.zeros((len(PLAYERS), CODEBOOK_SIZE), np.bool_)
    for row, stream in zip(table, PLAYERS, strict=True):
        end = FIRST + _events(stream, level)
        row[:end] = True
        if stream in PIECES:
            # Percussion: crackle off. Drums: rolls.
            row[FIRST : end : 1 << len(PIECES[stream])] = stream is Stream.PERCUSSION or level > 1
    return table


def sounding(level: int = LEVEL) -> NDArray[np.bool_]:
    """Which codes begin a sound in each stream but the conductor's: bool of shape [7, codes]."""
    table = readable(level)
    table[:, :FIRST] = False
    row = table[Stream.PERCUSSION - 1]
    row[FIRST :: 1 << len(PIECES[Stream.PERCUSSION])] = False
    return table


def _events(stream: Stream, level: int) -> int:
    """How many there are in a stream."""
    if stream in NOTE_STREAMS:
        return _VELOCITIES[level] * PITCHES
    if stream in CHORD_STREAMS:
        return 2 * CHORDS if level == 1 else CHORD_VELOCITIES * (CHORDS + LATER_CHORDS)
    accents = _VELOCITIES[level] if stream is Stream.PERCUSSION else _ACCENTS
    return accents << len(PIECES[stream])


def _hits(stream: Stream, index: int, kit: str) -> Hits | None:
    names = PIECES[stream]
    accent, bits = index >> len(names), index % (1 << len(names))
    if accent > (5 if stream is Stream.PERCUSSION else 2):
        return None
    if bits == 0 and stream is Stream.DRUMS:
        return Hits(kit, ROLLED, roll=accent + 2)
    if bits == 0 and kit != CRACKLE:
        return None
    return Hits(kit, frozenset(name for i, name in enumerate(names) if bits >> i & 1), accent)


def _shift(key: int) -> int:
    return key if key <= 6 else key - 12
