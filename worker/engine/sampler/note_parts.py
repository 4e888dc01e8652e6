"""Gives the parts of a score of notes to the sounds of the bank, and says what cannot be played as it is written."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from shared.music import Instrument
from shared.note_score import EXPRESSION, PAN, VOLUME, NotePart, NoteScore, TempoMap, TimedNote
from shared.played_score import PartId, PlayedScore, part_id
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.general_midi import DRUM_PROGRAMS
from worker.engine.sampler.gm_sounds import general_midi, kit_of
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.midi import VELOCITIES
from worker.engine.sampler.note_losses import MOST_VOICES, PlayingLosses
from worker.engine.sampler.patches import (
    KIT_LEVELS,
    KIT_PIECE_LEVELS,
    LEVELS,
    PATCHES,
    PIECE_LEVELS,
    PIECE_PANS,
    VELOCITY_DECIBELS,
)
from worker.engine.sampler.player import CHOKE

# Notes outside of the piano's keys are moved by octaves: no sound was recorded near them.
LOWEST_KEY, HIGHEST_KEY = 21, 108
# What General MIDI sets at the beginning (RP-003).
DEFAULT_VOLUME, CENTRE, MOST = 100, 64, 127
# Velocities as the MIDI files of this sampler have them, and their decibels; the softest key is barely heard.
_LEVELS = np.array(sorted([*zip(VELOCITIES, VELOCITY_DECIBELS, strict=True), (1, -30.0)])).T
# Notes from this velocity on have the sound of a hard stroke, where that was recorded.
HARD = 72
BASSES = ("bass guitar", "synth bass", "double bass")


class Strike(NamedTuple):
    """One note or hit.

    Attributes:
        begin: its first sample.
        end: the sample of its release; None for what rings by itself.
        sound: a sound of the bank, or a kit.
        pitch: a MIDI key; None for a hit.
        layer: velocity layer.
        piece: of the kit.
        decibels: its level.
        pan: -1 is left, 1 is right.
        release: seconds until a released note is silent.
    """

    begin: int
    end: int | None
    sound: str
    pitch: int | None
    layer: int
    piece: str
    decibels: float
    pan: float
    release: float


class PlayedPart(NamedTuple):
    """A part that sounds.

    Attributes:
        written: as in the file, with the program that replaces its own one.
        instrument: what plays it.
        stream: whose level, width and reverb it has.
        hall: whether it is in the hall rather than in the room.
        strikes: in order.
        volumes: changes of the volume: samples, and factors from then on.
    """

    written: NotePart
    instrument: Instrument
    stream: Stream
    sound: str
    strikes: Sequence[Strike]
    volumes: Sequence[tuple[int, float]]


def play_parts(
    score: NoteScore, played: PlayedScore, end: float, sounds: Mapping[PartId, str] = MappingProxyType({})
) -> tuple[list[PlayedPart], list[str]]:
    """The parts that sound before the second `end`, and sentences about what is not played as it is written.

    `sounds` are the instruments of parts that are not played by the one for their program.
    """
    known = {part_id(index): part for index, part in enumerate(score.parts)}
    wanted = {name: part for name, part in known.items() if not played.instruments or name in played.instruments}
    losses = PlayingLosses(score.losses)
    tempo, names, parts = TempoMap(score.tempos, score.division), Counter[str](), []
    for name, part in wanted.items():
        if (program := played.programs.get(name)) is not None:
            part = replace(part, program=program)
        usual = kit_of(part.program) if part.is_drums else general_midi().programs[part.program].played_by
        sound = sounds.get(name, usual)
        if sound is None:
            losses.silent[general_midi().programs[part.program].name] += len(part.notes)
            continue
        notes = [note for note in part.notes if tempo.seconds(note.start) < end]
        strikes = list(
            _hits(part, sound, notes, tempo, losses) if part.is_drums else _notes(part, sound, notes, tempo, losses)
        )
        if strikes:
            instrument = _instrument(part, sound, name, names)
            stream = Stream.DRUMS if part.is_drums else Stream.BASS if sound in BASSES else Stream.ARPEGGIO
            parts.append(PlayedPart(part, instrument, stream, sound, strikes, _volumes(part, tempo)))
    return parts, losses.sentences()


def _instrument(part: NotePart, sound: str, name: str, names: Counter[str]) -> Instrument:
    word = ("drum machine" if sound == "electronic" else "drums") if part.is_drums else sound
    names[word] += 1
    number = "" if names[word] == 1 else f" {names[word]}"
    return Instrument(name=f"{word}{number}", stream=name, program=part.program, channel=part.channel)


def _notes(
    part: NotePart, sound: str, notes: Iterable[TimedNote], tempo: TempoMap, losses: PlayingLosses
) -> Iterator[Strike]:
    patch, pans = PATCHES[sound], _Pans(part)
    program = general_midi().programs[part.program]
    stream = Stream.BASS if sound in BASSES else Stream.ARPEGGIO
    ends: list[int] = []
    for note in notes:
        key = note.key
        while key < LOWEST_KEY:
            key += 12
        while key > HIGHEST_KEY:
            key -= 12
        losses.moved += key != note.key
        begin, end = (round(tempo.seconds(tick) * SAMPLE_RATE) for tick in (note.start, note.end))
        ends = [each for each in ends if each > begin] + [end]
        losses.crowded += len(ends) > MOST_VOICES
        level = LEVELS[stream] + patch.decibels + decibels_of(note.velocity)
        pan = pans.at(note.start, patch.pan)
        yield Strike(begin, end, patch.sound, key, int(note.velocity >= HARD), "", level, pan, patch.release)
    if program.instead and program.played_by == sound:
        losses.instead.setdefault(sound, {})[program.name] = None


def _hits(
    part: NotePart, kit: str, notes: Iterable[TimedNote], tempo: TempoMap, losses: PlayingLosses
) -> Iterator[Strike]:
    pans = _Pans(part)
    if part.program not in DRUM_PROGRAMS.values():
        losses.kits[part.program + 1] = None
    for note in notes:
        drum = general_midi().drum_keys.get(note.key)
        if drum is None or drum.kit is None or drum.piece is None:
            losses.silent[f"drum key {note.key}" if drum is None else drum.name] += 1
            continue
        if drum.instead:
            losses.instead.setdefault(drum.piece.replace("_", " "), {})[drum.name] = None
        stream = Stream.DRUMS if drum.kit == "drums" else Stream.PERCUSSION
        name = kit if stream is Stream.DRUMS else drum.kit
        level = LEVELS[stream] + PIECE_LEVELS[drum.piece] + decibels_of(note.velocity)
        level += KIT_LEVELS.get(name, 0.0) + KIT_PIECE_LEVELS.get((name, drum.piece), 0.0)
        begin, pan = (
            round(tempo.seconds(note.start) * SAMPLE_RATE),
            pans.at(note.start, PIECE_PANS.get(drum.piece, 0.0)),
        )
        yield Strike(begin, None, f"{stream.name.lower()}/{name}", None, 0, drum.piece, level, pan, CHOKE)


def decibels_of(velocity: int) -> float:
    """The level of a velocity, on the lines between those that the sampler itself plays."""
    return float(np.interp(velocity, *_LEVELS))


class _Pans:
    """The pan of each note: the file's, else that of the sampler's own stage. Ask in the order of ticks."""

    def __init__(self, part: NotePart) -> None:
        self._changes = [control for control in part.controls if control.number == PAN]
        self._next = 0

    def at(self, tick: int, own: float) -> float:
        while self._next < len(self._changes) and self._changes[self._next].tick <= tick:
            self._next += 1
        if not self._next:
            return own
        return min(max((self._changes[self._next - 1].value - CENTRE) / (MOST - CENTRE), -1.0), 1.0)


def _volumes(part: NotePart, tempo: TempoMap) -> list[tuple[int, float]]:
    """Volume and expression as factors: the square of each, as General MIDI recommends (RP-003)."""
    volume, expression, found = DEFAULT_VOLUME, MOST, [(0, 1.0)]
    for control in part.controls:
        if control.number == VOLUME:
            volume = control.value
        elif control.number == EXPRESSION:
            expression = control.value
        else:
            continue
        at = round(tempo.seconds(control.tick) * SAMPLE_RATE)
        found.append((at, (volume / DEFAULT_VOLUME * expression / MOST) ** 2))
    return found
