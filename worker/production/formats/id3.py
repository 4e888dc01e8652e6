"""ID3v2.4: the tag before the audio of an MP3 file. Source: id3.org, "ID3 tag version 2.4.0" and "Chapter Frame"."""

import struct
from collections.abc import Iterator
from itertools import pairwise

from worker.production.formats.tags import Tags

_UTF_8 = b"\x03"
_NO_OFFSET = 2**32 - 1


def id3_tag(tags: Tags) -> bytes:
    """The whole tag."""
    frames = b"".join(_frames(tags))
    return b"ID3\x04\x00\x00" + _synchsafe(len(frames)) + frames


def _frames(tags: Tags) -> Iterator[bytes]:
    yield _text("TIT2", tags.title)
    yield _text("TPE1", tags.service)
    yield _text("TSSE", tags.software)
    if tags.prompt:
        yield _frame("COMM", _UTF_8 + b"eng\0" + tags.prompt.encode())
    if tags.bpm is not None:
        # The standard has whole numbers only; the exact tempo is in the field BPM.
        yield _text("TBPM", str(round(tags.bpm)))
    if tags.short_key is not None:
        yield _text("TKEY", tags.short_key)
    for name, text in tags.fields().items():
        yield _frame("TXXX", _UTF_8 + name.encode() + b"\0" + text.encode())
    yield from _chapters(tags)


def _chapters(tags: Tags) -> Iterator[bytes]:
    """Sections as chapters, and their table of contents: top-level and ordered."""
    sections = tags.chapters()
    if not sections:
        return
    ids = [f"section{number}".encode() + b"\0" for number in range(len(sections))]
    yield _frame("CTOC", b"sections\0\x03" + bytes([len(ids)]) + b"".join(ids))
    starts = [section.start for section in sections] + [tags.frames / tags.sample_rate]
    for name, section, (start, end) in zip(ids, sections, pairwise(starts), strict=True):
        place = struct.pack(">4I", round(start * 1000), round(end * 1000), _NO_OFFSET, _NO_OFFSET)
        yield _frame("CHAP", name + place + _text("TIT2", section.name))


def _text(name: str, text: str) -> bytes:
    return _frame(name, _UTF_8 + text.encode())


def _frame(name: str, data: bytes) -> bytes:
    return name.encode() + _synchsafe(len(data)) + bytes(2) + data


def _synchsafe(number: int) -> bytes:
    """28 bits in four bytes, of which none looks like the start of audio."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
