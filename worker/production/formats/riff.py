"""Writes WAV files: RIFF WAVE with chunks for DAWs, and nothing that differs between equal takes.

The layout follows Microsoft's "Multiple Channel Audio Data and WAVE Files" (WAVE_FORMAT_EXTENSIBLE) and "Multimedia
Programming Interface and Data Specifications 1.0" (RIFF).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.production.formats.riff_tags import chunk, tag_chunks
from worker.production.formats.tags import Tags

# Frames that are converted and written at a time.
BLOCK = 65_536
# RIFF counts bytes in 32 bits.
LARGEST = 2**32 - 1
# Where the samples start, in bytes: memory that is mapped from the file is then aligned for every sample format.
ALIGNMENT = 16

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# The GUID of a format is its code and these bytes.
_GUID = bytes.fromhex("000000001000800000AA00389B71")
# Which speakers the channels are for: centre, or left and right.
_SPEAKERS = {1: 0x4, 2: 0x3}


class _Layout(NamedTuple):
    code: int
    bits: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


_FORMATS = {"int16": (_PCM, 16), "int32": (_PCM, 24), "float32": (_FLOAT, 32)}


def write_wav(path: Path, samples: NDArray[np.generic], sample_rate: int, tags: Tags) -> None:
    """Write a WAV file. Equal samples and tags give equal bytes.

    Args:
        path: of the file, which is replaced.
        samples: of shape [frames, channels]: int16, int32 for 24-bit integers, or float32.
        sample_rate: in hertz.
        tags: what the file says.

    Raises:
        ValueError: if the samples have another type, or more than a WAV file holds.
    """
    if samples.dtype.name not in _FORMATS:
        raise ValueError(f"A WAV file takes int16, int32 or float32 samples, not {samples.dtype.name}.")
    layout = _Layout(*_FORMATS[samples.dtype.name], samples.shape[1])
    size = len(samples) * layout.frame_bytes
    head = _head(layout, len(samples), sample_rate, tags, size)
    with path.open("wb") as file:
        file.write(head)
        for block in _blocks(samples):
            file.write(block)
        file.write(bytes(size % 2))


def _head(layout: _Layout, frames: int, sample_rate: int, tags: Tags, size: int) -> bytes:
    """Everything before the samples."""
    body = b"".join(
        chunk(name, data) for name, data in [*_format_chunks(layout, frames, sample_rate), *tag_chunks(tags, layout)]
    )
    # RIFF, its size, WAVE, and the header of the data precede the samples.
    body += _padding(20 + len(body))
    total = 4 + len(body) + 8 + size + size % 2
    if total > LARGEST:
        raise ValueError("A WAV file holds at most 4 GiB. Ask for a shorter duration, or for FLAC.")
    return struct.pack("<4sI4s", b"RIFF", total, b"WAVE") + body + struct.pack("<4sI", b"data", size)


def _padding(length: int) -> bytes:
    """A chunk that readers skip, so that the samples are aligned; nothing if they are."""
    missing = -length % ALIGNMENT
    if not missing:
        return b""
    return chunk(b"JUNK", bytes((missing - 8) % ALIGNMENT))


def _format_chunks(layout: _Layout, frames: int, sample_rate: int) -> Iterator[tuple[bytes, bytes]]:
    """WAVE_FORMAT_EXTENSIBLE for integers of more than 16 bits and for more than two channels.

    Floats in up to two channels have their own format, which sox reads without a warning.
    """
    is_float = layout.code == _FLOAT
    is_extensible = layout.channels > 2 or (layout.bits > 16 and not is_float)
    code, size = _EXTENSIBLE if is_extensible else layout.code, layout.frame_bytes
    form = struct.pack("<HHIIHH", code, layout.channels, sample_rate, sample_rate * size, size, layout.bits)
    if is_extensible:
        form += struct.pack("<HHIH14s", 22, layout.bits, _SPEAKERS.get(layout.channels, 0), layout.code, _GUID)
    elif is_float:
        form += struct.pack("<H", 0)
    yield b"fmt ", form
    if code != _PCM:
        yield b"fact", struct.pack("<I", frames)


def _blocks(samples: NDArray[np.generic]) -> Iterator[bytes]:
    """The samples as the file has them: little-endian, 24-bit integers in three bytes."""
    for start in range(0, len(samples), BLOCK):
        block = samples[start : start + BLOCK]
        data = np.ascontiguousarray(block, block.dtype.newbyteorder("<"))
        if data.dtype.kind == "i" and data.itemsize == 4:
            yield _three_bytes(data.view(np.uint8).reshape(-1, 4))
        else:
            yield data.tobytes()


def _three_bytes(words: NDArray[np.uint8]) -> bytes:
    """The lower three bytes of words of four: column by column, because numpy copies short rows slowly."""
    packed = np.empty((len(words), 3), np.uint8)
    for place in range(3):
        packed[:, place] = words[:, place]
    return packed.tobytes()
