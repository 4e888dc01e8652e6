"""Live audio as the gateway sends it in binary WebSocket frames.

Layout: four bytes with the length of the header (little-endian), the header as JSON, then the samples: float32,
little-endian, interleaved by channel.
"""

import json
import struct
from dataclasses import dataclass, field, replace

from musicgen_client.decoding import decode
from musicgen_client.errors import UnexpectedAnswerError

SAMPLE_BYTES = 4
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, kw_only=True)
class AudioChunk:
    """A piece of the audio of a job that is being generated.

    Attributes:
        seq: 0, 1, 2 … within the attempt.
        attempt: of the job; a later one starts again at the beginning.
        first_sample: where the piece starts, in frames from the start of the audio.
        frames: samples per channel.
        sample_rate: in hertz.
        format: of a sample; -1.0 to 1.0 is full scale.
        last: whether this is the attempt's last chunk, which may be empty.
        pcm: `frames * channels` samples of four bytes.
    """

    job_id: str
    seq: int
    attempt: int
    first_sample: int
    frames: int
    sample_rate: int
    channels: int
    format: str
    last: bool = False
    pcm: bytes = field(default=b"", repr=False)

    @property
    def end(self) -> int:
        """Where the piece ends, in frames from the start of the audio."""
        return self.first_sample + self.frames

    def after(self, position: int) -> "AudioChunk":
        """The part of the chunk from `position` on, in frames from the start of the audio."""
        skipped = min(max(position - self.first_sample, 0), self.frames)
        return replace(
            self,
            first_sample=self.first_sample + skipped,
            frames=self.frames - skipped,
            pcm=self.pcm[skipped * self.channels * SAMPLE_BYTES :],
        )


def unpack_chunk(data: bytes) -> AudioChunk:
    """Read a binary frame.

    Raises:
        UnexpectedAnswerError: if it is no chunk of audio.
    """
    try:
        start = _LENGTH.size + _LENGTH.unpack_from(data)[0]
        header = json.loads(data[_LENGTH.size : start])
    except (struct.error, ValueError, RecursionError) as error:
        raise UnexpectedAnswerError(f"The gateway sent {len(data)} bytes that are no live audio.") from error
    chunk = replace(decode(AudioChunk, header), pcm=data[start:])
    if chunk.format != "f32le" or len(chunk.pcm) != chunk.frames * chunk.channels * SAMPLE_BYTES:
        raise UnexpectedAnswerError(
            f"A chunk of live audio has {len(chunk.pcm)} bytes of {chunk.format}, not {chunk.frames} frames of f32le."
        )
    return chunk
