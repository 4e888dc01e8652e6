"""The chunks of a WAV file that describe the music: ACID, sampler, cues, broadcast, iXML and INFO.

Sources: libsndfile and ExifTool for `acid`, which its inventor never published; RIFF 1.0 with the multimedia update of
1994 for `smpl`, `cue `, `adtl` and `INFO`; EBU Tech 3285 for `bext`; iXML 3.01 and ASWG-G006 1.1 for `iXML`.
"""

import math
import struct
import unicodedata
from collections.abc import Iterator
from typing import Protocol
from xml.etree import ElementTree as ET

from worker.production.formats.tags import Mark, Tags

# Flags of `acid`. One-shot is 1 and never set: a file of unknown tempo has no such chunk, because readers take a
# one-shot as one without tempo, and the others look for the tempo in the name and the sound.
_ROOT_NOTE, _STRETCH, _DISK_BASED = 2, 4, 8
# The value of loudness fields that are not used.
_UNUSED = 0x7FFF


class Layout(Protocol):
    """How the file holds the samples."""

    @property
    def bits(self) -> int: ...
    @property
    def channels(self) -> int: ...


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk, padded to an even length."""
    return struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2)


def tag_chunks(tags: Tags, layout: Layout) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the chunks, in the order of the file."""
    yield b"bext", _bext(tags, layout)
    yield b"iXML", _ixml(tags, layout)
    if tags.bpm is not None:
        yield b"acid", _acid(tags, tags.bpm)
    if tags.is_loop or tags.root_note is not None:
        yield b"smpl", _smpl(tags)
    if marks := tags.marks():
        yield b"cue ", _cue(marks)
        yield b"LIST", b"adtl" + b"".join(_label(number, mark) for number, mark in enumerate(marks, 1))
    yield b"LIST", b"INFO" + b"".join(_text(name, text) for name, text in _info(tags))


def _acid(tags: Tags, bpm: float) -> bytes:
    """Tempo, length in beats, root note and meter. The lower part of the meter comes first.

    If the length is no whole number of beats, the file is marked as disk-based: readers then take the tempo as stated,
    and do not compute it from the beats.
    """
    quarters = tags.quarters or 0.0
    beats = max(1, round(quarters))
    is_whole = abs(quarters - beats) * 60 / bpm * tags.sample_rate <= 1
    flags = _STRETCH | (0 if is_whole else _DISK_BASED) | (0 if tags.root_note is None else _ROOT_NOTE)
    upper, _, lower = (tags.meter or "4/4").partition("/")
    root_note = 60 if tags.root_note is None else tags.root_note
    return struct.pack("<IHHfIHHf", flags, root_note, 0x8000, 0.0, beats, int(lower), int(upper), bpm)


def _smpl(tags: Tags) -> bytes:
    """The note at which a sampler plays the file unchanged, and the loop, which ends with the last frame."""
    period = round(1e9 / tags.sample_rate)
    note = 60 if tags.root_note is None else tags.root_note
    loops = struct.pack("<6I", 1, 0, 0, tags.frames - 1, 0, 0) if tags.is_loop else b""
    return struct.pack("<9I", 0, 0, period, note, 0, 0, 0, len(loops) // 24, 0) + loops


def _cue(marks: list[Mark]) -> bytes:
    points = (struct.pack("<II4sIII", n, mark.frame, b"data", 0, 0, mark.frame) for n, mark in enumerate(marks, 1))
    return struct.pack("<I", len(marks)) + b"".join(points)


def _label(number: int, mark: Mark) -> bytes:
    return _text(b"labl", mark.label, struct.pack("<I", number))


def _text(name: bytes, text: str, before: bytes = b"") -> bytes:
    """A chunk of text that ends with NUL."""
    return chunk(name, before + text.encode() + b"\0")


def _info(tags: Tags) -> Iterator[tuple[bytes, str]]:
    yield b"INAM", tags.title
    yield b"IART", tags.service
    if tags.prompt:
        yield b"ISBJ", tags.prompt
    yield b"ISFT", tags.software
    yield b"ISRC", tags.recipe.model + (f" {tags.checkpoint}" if tags.checkpoint else "")
    yield b"IKEY", "; ".join(_keywords(tags))
    yield b"ICMT", tags.recipe_json


def _keywords(tags: Tags) -> Iterator[str]:
    if tags.bpm is not None:
        yield f"{tags.bpm_text} BPM"
    if tags.key is not None:
        yield tags.key.name
    if tags.meter is not None:
        yield tags.meter
    if tags.bars is not None:
        yield f"{tags.bars} bars"
    if tags.is_loop:
        yield "loop"
    if tags.instrument is not None:
        yield tags.instrument
    yield "generated"


def _bext(tags: Tags, layout: Layout) -> bytes:
    """Broadcast extension, version 2. Its texts are ASCII. Date and time are empty, as equal recipes make equal files.

    The prompt and the parent are in other chunks, which have no such limits.
    """
    history = f"A=PCM,F={tags.sample_rate},W={layout.bits},M={_mode(layout)},T={tags.software}\r\n"
    fixed = struct.pack(
        "<256s32s32s10s8sQH64s5h180s",
        _ascii(tags.title, 256),
        _ascii("TellUrStori MusicGen", 32),
        _ascii(f"{tags.recipe.model} seed {tags.recipe.seed}", 32),
        b"",
        b"",
        0,
        2,
        b"",
        _hundredths(tags.lufs),
        _UNUSED,
        _hundredths(tags.true_peak),
        _UNUSED,
        _UNUSED,
        b"",
    )
    return fixed + history.encode("ascii")


def _mode(layout: Layout) -> str:
    return {1: "mono", 2: "stereo"}.get(layout.channels, "multitrack")


def _ascii(text: str, limit: int) -> bytes:
    """Without accents, and a question mark for what ASCII does not have."""
    plain = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in plain if not unicodedata.combining(character))
    return bare.encode("ascii", "replace")[:limit]


def _hundredths(value: float | None) -> int:
    if value is None or not math.isfinite(value) or abs(value) > 99.99:
        return _UNUSED
    return round(value * 100)


def _ixml(tags: Tags, layout: Layout) -> bytes:
    """IXML with the music fields of ASWG-G006, which REAPER and game audio tools read."""
    root = ET.Element("BWFXML")
    _add(root, IXML_VERSION="3.01", PROJECT=tags.title, NOTE=tags.prompt)
    _add(
        ET.SubElement(root, "SPEED"),
        FILE_SAMPLE_RATE=tags.sample_rate,
        AUDIO_BIT_DEPTH=layout.bits,
    )
    tracks = ET.SubElement(root, "TRACK_LIST")
    _add(tracks, TRACK_COUNT=layout.channels)
    for channel in range(1, layout.channels + 1):
        name = tags.instrument or "mix"
        _add(ET.SubElement(tracks, "TRACK"), CHANNEL_INDEX=channel, INTERLEAVE_INDEX=channel, NAME=name)
    _add(ET.SubElement(root, "ASWG"), **_aswg(tags, layout))
    _add(ET.SubElement(root, "TELLURSTORI"), **tags.fields())
    text: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


def _aswg(tags: Tags, layout: Layout) -> dict[str, object]:
    """Fields in the order of the schema, which has tempos in whole numbers only."""
    return {
        "contentType": "music",
        "originator": tags.service,
        "notes": tags.prompt,
        "isGenerated": "true",
        "channelConfig": _mode(layout).capitalize() if layout.channels <= 2 else None,
        "loudness": None if _hundredths(tags.lufs) == _UNUSED else f"{tags.lufs:.2f}",
        "songTitle": tags.title,
        "instrument": tags.instrument,
        "isLoop": "true" if tags.is_loop else "false",
        "tempo": None if tags.bpm is None else round(tags.bpm),
        "timeSig": tags.meter and tags.meter.replace("/", ":"),
        "inKey": tags.key and tags.key.name,
        "schemaVersion": "1.1",
    }


def _add(parent: ET.Element, **texts: object) -> None:
    for name, text in texts.items():
        if text is not None:
            ET.SubElement(parent, name).text = str(text)
