"""Encodes MP3 with LAME, after a frame that tells players where the audio begins and ends.

Source of that frame: Gabriel Bouvigne, "Mp3 Info Tag, revision 1 specifications, draft 0".
"""

import struct
from collections.abc import Iterable
from typing import BinaryIO

import lameenc
import numpy as np
from numpy.typing import NDArray

# The highest constant bit rate in kbit/s for each sample rate, and samples in a frame: of MPEG-1, and of MPEG-2.
_BIT_RATES = dict.fromkeys((32_000, 44_100, 48_000), 320) | dict.fromkeys((16_000, 22_050, 24_000), 160)
_LOWEST_MPEG_1 = 32_000
_MPEG_1_SAMPLES, _MPEG_2_SAMPLES = 1152, 576
# LAME's speed, 0 to 9. At its highest bit rate, slower searches come no closer to the original: the noise is 48 dB
# below the music at this speed, and 46 dB below it at LAME's default.
_SPEED = 7
# Samples that LAME adds at the beginning.
_DELAY = 576
_HEADER_BYTES = 4
# Bytes of side information in a frame, for MPEG-1 or not, and the number of channels.
_SIDE_BYTES = {(True, 2): 32, (True, 1): 17, (False, 2): 17, (False, 1): 9}
# In a frame's header: it has a checksum if this bit is 0, and one more byte if this bit is 1.
_NO_CHECKSUM, _ONE_MORE_BYTE = 1 << 16, 1 << 9
# Frames, bytes, a table of contents and a quality follow.
_FIELDS = 0b1111
_CONSTANT_RATE = 1
_ENCODER = b"LAME3.100"
_CRC_POLYNOMIAL = 0xA001


def encode_mp3(
    target: BinaryIO, blocks: Iterable[NDArray[np.int16]], frames: int, channels: int, sample_rate: int
) -> None:
    """Encode at the highest constant bit rate, block by block.

    PyAV's wheels have LAME as well, but compiled so that it takes four times as long. `lameenc` writes no frame that
    tells the delay, so this module does.

    Args:
        target: a file that can be written at any place; it is continued.
        blocks: interleaved audio of shape [frames, channels].
        frames: samples of each channel in all blocks.
        channels: one or two.
        sample_rate: in hertz.

    Raises:
        ValueError: for a sample rate that MP3 does not have.
    """
    if sample_rate not in _BIT_RATES:
        raise ValueError(f"MP3 has no sample rate of {sample_rate} Hz. Ask for 48000, or for another format.")
    encoder = _encoder(channels, sample_rate)
    start, info_bytes = target.tell(), _frame_bits(sample_rate) // (8 * sample_rate)
    target.write(bytes(info_bytes))
    for block in blocks:
        target.write(encoder.encode(block.tobytes()))
    target.write(encoder.flush())
    end = target.tell()
    target.seek(start + info_bytes)
    (header,) = struct.unpack(">I", target.read(_HEADER_BYTES))
    target.seek(start)
    target.write(_info_frame(header, end - start, info_bytes, frames, channels, sample_rate))
    target.seek(end)


def _encoder(channels: int, sample_rate: int) -> lameenc.Encoder:
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(channels)
    encoder.set_in_sample_rate(sample_rate)
    encoder.set_out_sample_rate(sample_rate)
    encoder.set_bit_rate(_BIT_RATES[sample_rate])
    encoder.set_quality(_SPEED)
    return encoder


def _samples(sample_rate: int) -> int:
    """Samples of each channel in a frame."""
    return _MPEG_1_SAMPLES if sample_rate >= _LOWEST_MPEG_1 else _MPEG_2_SAMPLES


def _frame_bits(sample_rate: int) -> int:
    """Bits of a frame, times the sample rate: a frame of 44.1 kHz has no whole number of them."""
    return _samples(sample_rate) * _BIT_RATES[sample_rate] * 1000


def _info_frame(header: int, size: int, info_bytes: int, frames: int, channels: int, sample_rate: int) -> bytes:
    """The first frame: a silent one with the tag in it.

    Args:
        header: of the encoder's first frame.
        size: bytes of all frames, this one among them.
        info_bytes: of this frame.
        frames: samples of each channel in the audio.
        channels: one or two.
        sample_rate: in hertz.
    """
    encoded = round(8 * (size - info_bytes) * sample_rate / _frame_bits(sample_rate))
    padding = encoded * _samples(sample_rate) - _DELAY - frames
    contents = bytes(place * 256 // 100 for place in range(100))
    before = bytes(_SIDE_BYTES[sample_rate >= _LOWEST_MPEG_1, channels])
    tag = b"".join([
        struct.pack(">I", (header | _NO_CHECKSUM) & ~_ONE_MORE_BYTE), before,
        struct.pack(">4sIII", b"Info", _FIELDS, encoded, size), contents, bytes(4),
        _ENCODER, struct.pack(">B", _CONSTANT_RATE),
        bytes(10),  # filter, levels, flags: unknown
        struct.pack(">B", min(_BIT_RATES[sample_rate], 255)),
        (_DELAY << 12 | padding).to_bytes(3, "big"), bytes(4),
        struct.pack(">IH", size, 0),
    ])  # fmt: skip
    return (tag + struct.pack(">H", _checksum(tag))).ljust(info_bytes, b"\0")


def _checksum(data: bytes) -> int:
    """CRC-16/ARC."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (_CRC_POLYNOMIAL if register & 1 else 0)
    return register
