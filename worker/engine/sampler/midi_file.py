"""Bytes of a standard MIDI file, format 1 (The Complete MIDI 1.0 Detailed Specification, RP-001)."""

import struct
from collections.abc import Iterable, Sequence

# Ticks a quarter note: a sixteenth is 120, and every swing and triplet a whole number.
DIVISION = 480
DRUM_CHANNEL = 9

# When (ticks since the beginning), and what.
Message = tuple[int, bytes]


def file_bytes(tracks: Sequence[Iterable[Message]]) -> bytes:
    """A file of several tracks. A track's messages need no order; at one tick they keep the one they have."""
    header = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), DIVISION)
    return header + b"".join(_track(messages) for messages in tracks)


def tempo(bpm: int) -> bytes:
    """Quarter notes a minute; the file has them as whole microseconds a quarter note."""
    return b"\xff\x51\x03" + round(60_000_000 / bpm).to_bytes(3, "big")


def time_signature(beats: int) -> bytes:
    """So many quarter notes a bar; the metronome ticks each quarter note."""
    return bytes((0xFF, 0x58, 4, beats, 2, 24, 8))


def key_signature(key: int, minor: bool) -> bytes:
    """The sharps of a tonic's pitch class (flats are negative), from -5 to 6."""
    relative = (key + 3) % 12 if minor else key
    sharps = (relative * 7 + 5) % 12 - 5
    return b"\xff\x59\x02" + struct.pack(">bB", sharps, minor)


def track_name(name: str) -> bytes:
    return b"\xff\x03" + _length(len(name.encode())) + name.encode()


def marker(text: str) -> bytes:
    return b"\xff\x06" + _length(len(text.encode())) + text.encode()


def program(channel: int, number: int, bank: int = 0) -> list[bytes]:
    """Choose an instrument: its bank, then General MIDI's number of it, from 0."""
    return [bytes((0xB0 | channel, 0, bank)), bytes((0xC0 | channel, number))]


def note_on(channel: int, pitch: int, velocity: int) -> bytes:
    return bytes((0x90 | channel, pitch, velocity))


def note_off(channel: int, pitch: int) -> bytes:
    return bytes((0x80 | channel, pitch, 64))


def _track(messages: Iterable[Message]) -> bytes:
    body, now = bytearray(), 0
    for tick, message in sorted(messages, key=lambda found: found[0]):
        body += _length(tick - now) + message
        now = tick
    body += b"\x00\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def _length(value: int) -> bytes:
    """Seven bits a byte, the highest first; all but the last have the eighth set."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(value & 0x7F | 0x80)
    return bytes(reversed(found))
