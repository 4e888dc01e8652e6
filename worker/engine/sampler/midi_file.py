"""The bytes of a standard MIDI file, format 1 (The Complete MIDI 1.0 Detailed Specification, RP-001)."""

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction

# Ticks per quarter note. A sixteenth is 120 ticks, so swing and triplets are whole numbers.
DIVISION = 480
DRUM_CHANNEL = 9

# The tick since the beginning, and the message's bytes.
Message = tuple[int, bytes]


def file_bytes(tracks: Sequence[Iterable[Message]], end: int = 0, *, division: int = DIVISION) -> bytes:
    """A file of several tracks, which end at a tick, or at their last message if that is later.

    Ticks are counted at `division` per quarter note.

    Messages are sorted by tick; those at the same tick keep their order.
    """
    header = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), division)
    return header + b"".join(_track(messages, end) for messages in tracks)


def tempo_mark(bpm: Fraction | int) -> bytes:
    """Set the tempo, rounded to whole microseconds per quarter note.

    The rounding is off by at most half a microsecond a quarter: 2 parts in a million at 240 BPM, or 0.2 ms in two
    minutes. Ticks are exact, so a DAW that reads the tempo as 92.5 BPM has every note on the grid.
    """
    return b"\xff\x51\x03" + round(60_000_000 / bpm).to_bytes(3, "big")


def time_signature(beats: int, unit: int = 4) -> bytes:
    """Set the beats per bar and their note value, with a metronome click on each, in 6/8 and 12/8 on each third."""
    clicks = 96 // unit * (3 if unit == 8 and beats % 3 == 0 else 1)
    return bytes((0xFF, 0x58, 4, beats, unit.bit_length() - 1, clicks, 8))


def key_signature(key: int, minor: bool) -> bytes:
    """Set the key signature of a tonic's pitch class: -5 to 6 sharps, flats being negative."""
    relative = (key + 3) % 12 if minor else key
    sharps = (relative * 7 + 5) % 12 - 5
    return b"\xff\x59\x02" + struct.pack(">bB", sharps, minor)


def track_name(name: str) -> bytes:
    return b"\xff\x03" + _length(len(name.encode())) + name.encode()


def marker(text: str) -> bytes:
    return b"\xff\x06" + _length(len(text.encode())) + text.encode()


def program(channel: int, number: int, bank: int = 0) -> list[bytes]:
    """Select an instrument: its bank, then its General MIDI program, from 0."""
    return [bytes((0xB0 | channel, 0, bank)), bytes((0xC0 | channel, number))]


def control(channel: int, number: int, value: int) -> bytes:
    """Set a controller, such as 7 for the volume."""
    return bytes((0xB0 | channel, number, value))


def note_on(channel: int, pitch: int, velocity: int) -> bytes:
    return bytes((0x90 | channel, pitch, velocity))


def note_off(channel: int, pitch: int) -> bytes:
    return bytes((0x80 | channel, pitch, 64))


def _track(messages: Iterable[Message], end: int) -> bytes:
    body, now = bytearray(), 0
    for tick, message in sorted(messages, key=lambda found: found[0]):
        body += _length(tick - now) + message
        now = tick
    body += _length(max(end - now, 0)) + b"\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def _length(value: int) -> bytes:
    """A variable-length quantity: seven bits per byte, highest first; all but the last byte have bit 8 set."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(value & 0x7F | 0x80)
    return bytes(reversed(found))
