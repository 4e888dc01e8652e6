"""Chunks of audio during generation, as sent on `music.audio.<job_id>` and in binary WebSocket frames.

Layout: four bytes with the length of the header (little-endian), the header as UTF-8 JSON, then the samples: float32,
little-endian, interleaved by channel. Spaces after the header's closing brace align the samples to four bytes, so a
reader can use them in place.
"""

import struct
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.messages import UNDECODABLE

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]

SAMPLE_BYTES = 4

# Real headers are far shorter; a greater length is an error.
MAX_HEADER = 4096

_LENGTH = struct.Struct("<I")


class AudioChunk(msgspec.Struct, frozen=True, kw_only=True):
    """The header of one chunk of audio.

    Attributes:
        job_id: the job.
        seq: 0, 1, 2 … within the attempt.
        attempt: the job's attempt. A new attempt starts again at `seq` 0 and `first_sample` 0.
        first_sample: where the chunk starts, in frames from the start of the job's audio.
        frames: samples per channel.
        sample_rate: in hertz.
        channels: number of interleaved channels.
        format: of a sample; -1.0 to 1.0 is full scale.
        last: whether this is the attempt's last chunk, which may be empty.
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
    """Encode a chunk.

    Args:
        header: describes the samples.
        pcm: `frames * channels` samples, in the layout described at the top of this file.

    Raises:
        ValueError: if the length of `pcm` differs from what the header says.
    """
    _check_size(header, len(pcm))
    text = _encode(header)
    text += b" " * (-len(text) % SAMPLE_BYTES)
    return _LENGTH.pack(len(text)) + text + pcm


def unpack_chunk(data: bytes) -> tuple[AudioChunk, memoryview]:
    """The header and a view of the samples' bytes.

    Raises:
        ValueError: if the data is not a chunk: a wrong length, an invalid header, or samples that do not match it.
    """
    if len(data) < _LENGTH.size:
        raise ValueError(f"{len(data)} bytes are too few for a chunk of audio.")
    length = _LENGTH.unpack_from(data)[0]
    end = _LENGTH.size + length
    if length > MAX_HEADER or end > len(data):
        raise ValueError(f"The header cannot be {length} bytes long in a message of {len(data)}.")
    try:
        header = _decode(data[_LENGTH.size : end])
    except UNDECODABLE as error:
        raise ValueError(f"The header of the chunk is invalid: {error}.") from error
    pcm = memoryview(data)[end:]
    _check_size(header, len(pcm))
    return header, pcm


def _check_size(header: AudioChunk, size: int) -> None:
    wanted = header.frames * header.channels * SAMPLE_BYTES
    if size != wanted:
        raise ValueError(f"{header.frames} frames of {header.channels} channels are {wanted} bytes, not {size}.")
