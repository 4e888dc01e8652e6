"""Standard MIDI files, written by mido."""

import io
from collections.abc import Iterable
from typing import Any

import mido

DIVISION = 480


def midi_file(*tracks: Iterable[Any], division: int = DIVISION, kind: int = 1) -> bytes:
    """A file of tracks, whose messages have times since the track's beginning."""
    file = mido.MidiFile(ticks_per_beat=division, type=kind)
    for messages in tracks:
        track, now = mido.MidiTrack(), 0
        for message in sorted(messages, key=lambda each: each.time):
            track.append(message.copy(time=message.time - now))
            now = message.time
        file.tracks.append(track)
    target = io.BytesIO()
    file.save(file=target)
    return target.getvalue()


def note(start: int, end: int, key: int, *, velocity: int = 90, channel: int = 0) -> list[mido.Message]:
    """A note from tick to tick."""
    begin = mido.Message("note_on", note=key, velocity=velocity, channel=channel, time=start)
    return [begin, mido.Message("note_off", note=key, channel=channel, time=end)]


def control(tick: int, number: int, value: int, channel: int = 0) -> mido.Message:
    """A change of a controller."""
    return mido.Message("control_change", control=number, value=value, channel=channel, time=tick)


def program(number: int, channel: int = 0, tick: int = 0) -> mido.Message:
    """A change of the program."""
    return mido.Message("program_change", program=number, channel=channel, time=tick)


def meta(kind: str, tick: int = 0, **values: Any) -> mido.MetaMessage:
    """A meta message."""
    return mido.MetaMessage(kind, time=tick, **values)
