"""Audio while it is generated: what `music.audio.<job_id>` and the WebSocket's binary frames carry.

Four bytes with the length of the header (little-endian), the header as UTF-8 JSON, then the samples: float32,
little-endian, interleaved by channel. Spaces after the header's brace let the samples begin at a multiple of four
bytes, so that a reader may look at them in place.
"""

import struct
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.messages import UNDECODABLE

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]

SAMPLE_BYTES = 4

# Nothing that a header holds comes near this; a length beyond it is a lie.
MAX_HEADER = 4096

_LENGTH = struct.Struct("<I")


class AudioChunk(msgspec.Struct, frozen=True, kw_only=True):
    """The header of one piece of audio.

    Attributes:
        job_id: whose audio it is.
        seq: 0, 1, 2 … within the attempt.
        attempt: which attempt of the job made it. A new attempt begins again at `seq` 0 and `first_sample` 0.
        first_sample: where the piece begins, in frames from the beginning of the job's audio.
        frames: how many samples there are of each channel.
        sample_rate: in hertz.
        channels: how many are interleaved.
        format: of a sample; -1.0 to 1.0 is full scale.
        last: whether the attempt has no more. The last piece may be empty.
    """

    type: Literal["audio"] = "audio"
    job_id: str
    seq: Count
    attempt: Count
    first_sample: Count
    frames: Count
    sample_rate: Positive
    channels: Positive
    format: Literal["f32le"] = "f32le"
    last: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AudioChunk).decode


def pack_chunk(header: AudioChunk, pcm: bytes) -> bytes:
    """The message of a piece of audio.

    Args:
        header: what it is.
        pcm: `frames * channels` samples, as described at the top of this file.

    Raises:
        ValueError: if `pcm` is longer or shorter than the header says.
    """
    _check_size(header, len(pcm))
    text = _encode(header)
    text += b" " * (-len(text) % SAMPLE_BYTES)
    return _LENGTH.pack(len(text)) + text + pcm


def unpack_chunk(data: bytes) -> tuple[AudioChunk, memoryview]:
    """The header and a view of the samples' bytes.

    Raises:
        ValueError: if that is no piece of audio: its length lies, the header is none, the samples do not fit it.
    """
    if len(data) < _LENGTH.size:
        raise ValueError(f"{len(data)} bytes are too few for a piece of audio.")
    length = _LENGTH.unpack_from(data)[0]
    end = _LENGTH.size + length
    if length > MAX_HEADER or end > len(data):
        raise ValueError(f"The header cannot be {length} bytes long in a message of {len(data)}.")
    try:
        header = _decode(data[_LENGTH.size : end])
    except UNDECODABLE as error:
        raise ValueError(f"The header is not one of a piece of audio: {error}.") from error
    pcm = memoryview(data)[end:]
    _check_size(header, len(pcm))
    return header, pcm


def _check_size(header: AudioChunk, size: int) -> None:
    wanted = header.frames * header.channels * SAMPLE_BYTES
    if size != wanted:
        raise ValueError(f"{header.frames} frames of {header.channels} channels are {wanted} bytes, not {size}.")
