"""Reads the notes of a MIDI file."""

import io
import struct
from typing import NamedTuple

import mido


class MidiNote(NamedTuple):
    """A note: `start` and `length` in quarter notes, `key` from 0 to 127, velocities from 0 to 127."""

    start: float
    length: float
    key: int
    velocity: int
    release: int


class NoteTrack(NamedTuple):
    """A track with notes: its first channel from 1, and its first General MIDI program from 0."""

    name: str
    channel: int
    program: int | None
    notes: tuple[MidiNote, ...]


class InvalidMidiError(Exception):
    """The file is no standard MIDI file."""


def read_note_tracks(file: bytes) -> list[NoteTrack]:
    """The tracks of a standard MIDI file that have notes.

    A note without an end is left out; two of the same pitch end in the order in which they began.

    Raises:
        InvalidMidiError: if the file cannot be read.
    """
    try:
        midi = mido.MidiFile(file=io.BytesIO(file))
        tracks = [_read_track(track, midi.ticks_per_beat) for track in midi.tracks]
    # An invalid file is told by any of these.
    except (OSError, EOFError, ValueError, ArithmeticError, LookupError, struct.error, mido.KeySignatureError) as error:
        raise InvalidMidiError(str(error) or "it ends too early") from error
    return [track for track in tracks if track is not None]


def _read_track(track: mido.MidiTrack, division: int) -> NoteTrack | None:
    tick, channel, program = 0, None, None
    sounding: dict[int, list[tuple[int, int]]] = {}
    notes: list[MidiNote] = []
    for message in track:
        tick += message.time
        if message.type == "program_change" and program is None:
            program = message.program
        if message.type not in ("note_on", "note_off"):
            continue
        channel = message.channel if channel is None else channel
        if message.type == "note_on" and message.velocity:
            sounding.setdefault(message.note, []).append((tick, message.velocity))
        elif sounding.get(message.note):
            start, velocity = sounding[message.note].pop(0)
            length = (tick - start) / division
            notes.append(MidiNote(start / division, length, message.note, velocity, message.velocity))
    return None if channel is None else NoteTrack(track.name, channel + 1, program, tuple(sorted(notes)))
