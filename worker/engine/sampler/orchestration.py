"""Gives the notes of a score to other instruments: those that a prompt names, or those of its genre.

Every note keeps its onset, its length and its velocity. Pitches change only by octaves, into an instrument's range.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

import msgspec

from shared.note_score import Control, NotePart, NoteScore, TimedNote
from shared.played_score import PartId, PlayedScore, part_id
from worker.engine.sampler.arrangement import Arrangement
from worker.engine.sampler.casting import Cast, cast
from worker.engine.sampler.general_midi import DRUM_PROGRAMS, PROGRAMS
from worker.engine.sampler.gm_sounds import general_midi
from worker.engine.sampler.instruments import HIT_STREAMS, Stream
from worker.engine.sampler.plan import choose_genre
from worker.engine.sampler.ranges import fold, range_of
from worker.engine.sampler.roles import find_roles, texture
from worker.engine.sampler.seats import is_refused
from worker.engine.sampler.voices import divide
from worker.engine.sampler.wish import Wish

# Whose player takes a part whose own stream has none in the genre.
_ELSEWHERE = {
    Stream.BASS: (Stream.PAD, Stream.CHORDS, Stream.ARPEGGIO, Stream.LEAD),
    Stream.CHORDS: (Stream.PAD, Stream.ARPEGGIO, Stream.LEAD, Stream.BASS),
    Stream.PAD: (Stream.CHORDS, Stream.ARPEGGIO, Stream.LEAD, Stream.BASS),
    Stream.ARPEGGIO: (Stream.CHORDS, Stream.LEAD, Stream.PAD, Stream.BASS),
    Stream.LEAD: (Stream.ARPEGGIO, Stream.CHORDS, Stream.PAD, Stream.BASS),
}
_OCTAVES = (0, 1, -1, 2, -2, 3, -3, 4, -4)


@dataclass(frozen=True, slots=True)
class _Desk:
    """A part, and who plays it: None keeps what the file has.

    Attributes:
        part: its notes.
        is_chosen: whether the client chose its program.
    """

    part: NotePart
    is_chosen: bool = False
    player: str | None = None

    @property
    def key(self) -> float:
        """The median of its keys."""
        return median(note.key for note in self.part.notes)


def orchestrate(score: NoteScore, played: PlayedScore, wish: Wish) -> Arrangement:
    """The score for the instruments of a wish.

    Raises:
        ValueError: if they leave nothing to play; the message is for the client.
    """
    source = random.Random(wish.seed)  # noqa: S311
    genre, stated = choose_genre(wish.reading, source)
    # Names alone replace single instruments; the others stay.
    band = cast(wish.reading, genre, source, stated=stated)
    keeps = bool(band.named) and not stated and not wish.reading.only
    desks, warnings = _desks(score, played), list(_unchanged(wish))
    named = _named(band)
    if wish.reading.only:
        desks = _divided(desks, len(named), score.division, warnings)
    desks = _seated(desks, score, band, named, wish, keeps=keeps)
    kept = [desk for desk in desks if desk.player != ""]
    warnings += _left_out(desks, named)
    if not kept:
        raise ValueError("The prompt leaves no instrument for the notes of this score. Name one that can play them.")
    parts = [_in_range(desk, warnings) if desk.player else desk.part for desk in kept]
    return Arrangement(
        score=msgspec.structs.replace(score, parts=tuple(parts)),
        sounds={
            part_id(index): desk.player for index, desk in enumerate(kept) if desk.player and not desk.part.is_drums
        },
        warnings=(*wish.warnings, *warnings),
        reading=wish.reading,
    )


def _desks(score: NoteScore, played: PlayedScore) -> list[_Desk]:
    """The parts to play, with the programs that the client chose."""
    known: dict[PartId, NotePart] = {part_id(index): part for index, part in enumerate(score.parts)}
    return [
        _Desk(msgspec.structs.replace(part, program=played.programs.get(name, part.program)), name in played.programs)
        for name, part in known.items()
        if not played.instruments or name in played.instruments
    ]


def _named(band: Cast) -> list[str]:
    """The pitched players that the prompt names, from high to low."""
    found = {
        player: None
        for stream in sorted(band.named)
        for player in band.players[stream]
        if player and stream not in HIT_STREAMS
    }
    return sorted(found, key=lambda player: -_centre(player))


def _centre(player: str) -> float:
    return sum(range_of(player)) / 2


def _divided(desks: Sequence[_Desk], players: int, division: int, warnings: list[str]) -> list[_Desk]:
    """The parts, with those that play chords divided among the players that have no line of their own."""
    chordal = [
        desk for desk in desks if not (desk.part.is_drums or desk.is_chosen) and texture(desk.part, division).is_chordal
    ]
    lines = [desk for desk in desks if desk not in chordal]
    voices = players - sum(not desk.part.is_drums for desk in lines)
    if not chordal or voices <= max(len(chordal), 1):
        return list(desks)
    notes = sorted((note for desk in chordal for note in desk.part.notes), key=lambda note: note.start)
    controls = {desk.part.controls for desk in chordal}
    common: tuple[Control, ...] = controls.pop() if len(controls) == 1 else ()
    if controls:
        warnings.append("Changes of volume and pan are left out where the notes of several parts were divided.")
    first = chordal[0].part
    parts = [
        msgspec.structs.replace(first, notes=tuple(voice), controls=common)
        for voice in divide(notes, voices, division)
        if voice
    ]
    return [*(_Desk(part) for part in parts), *lines]


def _seated(
    desks: Sequence[_Desk], score: NoteScore, band: Cast, named: Sequence[str], wish: Wish, *, keeps: bool
) -> list[_Desk]:
    """The parts with their players; "" is a part that is left out."""
    found = list(desks)
    roles = find_roles(msgspec.structs.replace(score, parts=tuple(desk.part for desk in desks)))
    for index in (index for index, desk in enumerate(desks) if desk.part.is_drums and not desk.is_chosen):
        found[index] = replace(found[index], player=_kit(band, wish))
    free = [index for index, desk in enumerate(desks) if not desk.part.is_drums and not desk.is_chosen]
    for player in named:
        able = [index for index in free if found[index].player is None]
        if able:
            streams = [stream for stream in band.named if player in band.players[stream]]
            best = min(able, key=lambda index: _distance(desks[index], roles[index], player, streams))
            found[best] = replace(found[best], player=player)
    for index in (index for index in free if found[index].player is None and not keeps):
        found[index] = replace(found[index], player=_other(found[index], roles[index], band, named, wish))
    return found


def _distance(desk: _Desk, role: Stream, player: str, streams: Sequence[Stream]) -> tuple[bool, float]:
    return role not in streams, abs(desk.key - _centre(player))


def _other(desk: _Desk, role: Stream, band: Cast, named: Sequence[str], wish: Wish) -> str | None:
    """Who plays a part for which no instrument is named."""
    if wish.reading.only:
        return min(named, key=lambda player: abs(desk.key - _centre(player)), default="")
    for stream in (role, *_ELSEWHERE[role]):
        for player in band.players[stream]:
            if player is not None and not is_refused(player, stream, wish.reading.refused):
                return player
    return None


def _kit(band: Cast, wish: Wish) -> str | None:
    """The kit for drums: the band's, or their own if its genre has none; none at all if they are not wanted."""
    kit = next((kit for kit in band.players[Stream.DRUMS] if kit), None)
    if kit is None and (wish.reading.only or "drums" in wish.reading.refused):
        return ""
    return kit


def _in_range(desk: _Desk, warnings: list[str]) -> NotePart:
    """The part of its player: in that range by as few octaves as possible, the whole part if that helps."""
    assert desk.player
    if desk.part.is_drums:
        return msgspec.structs.replace(desk.part, program=DRUM_PROGRAMS[desk.player])
    lowest, highest = range_of(desk.player)
    outside = {
        octave: sum(not lowest <= note.key + 12 * octave <= highest for note in desk.part.notes) for octave in _OCTAVES
    }
    octave = min(_OCTAVES, key=lambda each: (outside[each], abs(each)))
    if octave:
        count = "an octave" if abs(octave) == 1 else f"{abs(octave)} octaves"
        warnings.append(f"The {desk.player} plays its part {count} {'higher' if octave > 0 else 'lower'}.")
    if outside[octave]:
        notes = "1 note" if outside[octave] == 1 else f"{outside[octave]} notes"
        warnings.append(f"The {desk.player} plays {notes} in another octave, because they are out of its range.")
    keys = (fold(note.key + 12 * octave, lowest, highest) for note in desk.part.notes)
    moved = tuple(
        TimedNote(note.start, note.end, key, note.velocity) for note, key in zip(desk.part.notes, keys, strict=True)
    )
    # Another instrument than the track's name says.
    return msgspec.structs.replace(desk.part, name="", program=PROGRAMS[desk.player], notes=moved)


def _left_out(desks: Sequence[_Desk], named: Sequence[str]) -> Iterator[str]:
    """A sentence for each part without a player, and for each player without a part."""
    silent = Counter[str]()
    for desk in desks:
        if desk.player == "":
            name = "drums" if desk.part.is_drums else general_midi().programs[desk.part.program].name
            silent[name] += len(desk.part.notes)
    for name, count in silent.items():
        yield f"{name[0].upper()}{name[1:]}: {count} notes are left out, because the prompt wants none of that kind."
    idle = [player for player in named if all(desk.player != player for desk in desks)]
    if idle:
        yield f"The score has no part left for {' and '.join(f'the {player}' for player in idle)}."


def _unchanged(wish: Wish) -> Iterator[str]:
    """A sentence for what the prompt asks for, and only other notes could give."""
    reading = wish.reading
    asked = {
        "tempo": reading.tempo is not None and reading.tempo[0] != reading.tempo[1],
        "mood": bool(reading.moods) or reading.energy is not None,
        "form": bool(reading.sections) or reading.intro or reading.outro,
        "feel": reading.feel is not None or reading.four_on_the_floor,
    }
    words = [name for name, is_asked in asked.items() if is_asked]
    if words:
        *first, last = words
        listed = f"{', '.join(first)} and {last}" if first else last
        yield f"The notes stay as they are, and so does their {listed}."
