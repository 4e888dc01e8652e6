"""Reads the recipe from a file that this service made. It loads in a moment and trusts no byte of the file."""

import json
import struct
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

import msgspec

from shared.errors import MusicgenError
from shared.messages import UNDECODABLE, Recipe
from worker.production.formats.ogg import COMMENT_HEADER, packets, read_pages

# A file's tags in bytes, and its chunks, beyond which the reader gives up.
_LARGEST_TAG = 1_000_000
_MOST_CHUNKS = 10_000
_KEY = b"RECIPE"


class NoRecipeError(MusicgenError):
    """The file has no recipe that this version can follow. The message says why."""


def read_recipe(path: Path) -> Recipe:
    """Read the recipe of a WAV, FLAC, Ogg Vorbis or MP3 file, whatever its name.

    Raises:
        NoRecipeError: if there is none, or if it is damaged.
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            text = _recipe_text(file)
        except (struct.error, ValueError) as error:
            raise NoRecipeError(f"This file has no recipe of this service: {path} is damaged or cut off.") from error
    if text is None:
        raise NoRecipeError(
            f"This file has no recipe of this service: {path} was made by another program, or lost its tags there."
        )
    return _decode(text, path)


def _decode(text: bytes, path: Path) -> Recipe:
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        recipe = msgspec.json.decode(text, type=Recipe)
    except UNDECODABLE as error:
        raise NoRecipeError(f"This file has no recipe of this service: that of {path} is damaged ({error}).") from error
    if unknown := fields.keys() - set(Recipe.__struct_fields__):
        names = ", ".join(sorted(json.dumps(name) for name in unknown)[:5])
        raise NoRecipeError(f"The recipe of {path} has fields that this version does not know: {names}. Update it.")
    return recipe


def _recipe_text(file: BinaryIO) -> bytes | None:
    """The recipe's JSON, by the format that the first bytes tell."""
    start = file.read(12)
    file.seek(0)
    if start[:4] == b"RIFF" and start[8:] == b"WAVE":
        return _in_wav(file)
    if start[:4] == b"fLaC":
        return _in_flac(file)
    if start[:4] == b"OggS":
        return _in_ogg(file)
    if start[:3] == b"ID3":
        return _in_id3(file)
    return None


def _in_wav(file: BinaryIO) -> bytes | None:
    """The comment in LIST INFO."""
    file.seek(12)
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return None
        name, size = struct.unpack("<4sI", head)
        if name == b"LIST" and size <= _LARGEST_TAG:
            data = file.read(size + size % 2)
            if data[:4] == b"INFO" and (comment := _info_comment(data)) is not None:
                return comment
        else:
            file.seek(size + size % 2, 1)
    return None


def _info_comment(data: bytes) -> bytes | None:
    place = 4
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        text = data[place + 8 : place + 8 + size].rstrip(b"\0")
        # Comments of other programs are no recipes.
        if name == b"ICMT" and text.startswith(b"{"):
            return text
        place += 8 + size + size % 2
    return None


def _in_flac(file: BinaryIO) -> bytes | None:
    """The metadata block of type 4."""
    file.seek(4)
    for _ in range(_MOST_CHUNKS):
        head = struct.unpack(">I", file.read(4))[0]
        is_last, kind, size = head >> 31, head >> 24 & 0x7F, head & 0xFFFFFF
        if kind == 4 and size <= _LARGEST_TAG:
            return _in_comments(file.read(size))
        if is_last:
            return None
        file.seek(size, 1)
    return None


def _in_ogg(file: BinaryIO) -> bytes | None:
    """The second packet of the first stream."""
    found = packets(takewhile(lambda _: file.tell() <= _LARGEST_TAG, read_pages(file)))
    next(found, None)
    comments = next(found, b"")
    start = len(COMMENT_HEADER)
    return _in_comments(comments[start:]) if comments[:start] == COMMENT_HEADER else None


def _in_comments(data: bytes) -> bytes | None:
    """Vorbis comments: the encoder's name, then NAME=text, each with its length before it."""
    place = 4 + struct.unpack_from("<I", data)[0] + 4
    while place + 4 <= len(data):
        size = struct.unpack_from("<I", data, place)[0]
        name, _, text = data[place + 4 : place + 4 + size].partition(b"=")
        if name.upper() == _KEY:
            return text
        place += 4 + size
    return None


def _in_id3(file: BinaryIO) -> bytes | None:
    """The frame TXXX of this name, in ID3v2.3 or 2.4, as this service or an editor of tags wrote it."""
    _, version, _, flags, size = struct.unpack(">3sBBB4s", file.read(10))
    data = file.read(min(_synchsafe(size), _LARGEST_TAG))
    if flags & 0x80:  # unsynchronised as a whole
        data = data.replace(b"\xff\x00", b"\xff")
    place = 0
    if flags & 0x40:  # an extended header comes first; its size counts itself only in 2.4
        place = _synchsafe(data[:4]) if version == 4 else 4 + struct.unpack_from(">I", data)[0]
    while place + 10 <= len(data) and data[place]:
        name, length, _ = struct.unpack_from(">4s4sH", data, place)
        size_of = _synchsafe(length) if version == 4 else int.from_bytes(length)
        if name == b"TXXX" and (text := _user_text(data[place + 10 : place + 10 + size_of])) is not None:
            return text
        place += 10 + size_of
    return None


def _user_text(frame: bytes) -> bytes | None:
    """The text of a TXXX frame, if it is the recipe."""
    encoding = {b"\0": "latin-1", b"\1": "utf-16", b"\2": "utf-16-be"}.get(frame[:1], "utf-8")
    name, _, text = frame[1:].decode(encoding).partition("\0")
    # In UTF-16 both texts begin with a byte order mark.
    return text.strip("\ufeff\0").encode() if name.upper().encode() == _KEY else None


def _synchsafe(data: bytes) -> int:
    """Seven bits of each of four bytes."""
    first, second, third, fourth = data
    return first << 21 | second << 14 | third << 7 | fourth
