"""What a codec is. The one in this room is EnCodec, which MusicGen speaks."""

from typing import Protocol

from torch import Tensor

from worker.engine.interface import UnsupportedCheckpointError


class UnsupportedCodecError(UnsupportedCheckpointError):
    """The codec holds something that this code does not know exactly.

    It may well be a good one: the reference engine can load it.
    """


class CodecStream(Protocol):
    """The decoding of one piece, chunk by chunk. Not for several threads at once."""

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        """Take the codes that follow those pushed before; how a piece is cut into chunks changes nothing.

        Args:
            codes: int64 of shape [codebooks, frames], on any device; there may be no frames.
            last: whether the piece ends with them.

        Returns:
            float32 of shape [channels, samples] on the codec's device: the samples that are final now, perhaps
            none. With `last` all that are left, so that a piece has `samples_per_frame` for each frame.

        Raises:
            ValueError: if the piece has ended before.
        """
        ...


class Codec(Protocol):
    """A loaded codec. Its streams are independent of each other."""

    @property
    def sample_rate(self) -> int:
        """Samples a second, in hertz."""
        ...

    @property
    def channels(self) -> int:
        """Channels of the audio: 1 is mono, 2 is left and right."""
        ...

    @property
    def samples_per_frame(self) -> int:
        """Samples that one frame of codes becomes, at the least."""
        ...

    @property
    def frame_rate(self) -> float:
        """Frames a second, at the most: where codes say how long a frame is, it may take fewer."""
        ...

    @property
    def codebooks(self) -> int:
        """Codes in a frame."""
        ...

    @property
    def codebook_size(self) -> int:
        """How many different codes a codebook has."""
        ...

    @property
    def lookahead(self) -> int:
        """Frames that must follow before all samples of a frame are final."""
        ...

    @property
    def lead_in(self) -> int:
        """Frames at the beginning, at the most, that make no audio."""
        ...

    def stream(self, total_samples: int | None = None) -> CodecStream:
        """Begin a piece. A codec that can make an end makes one at `total_samples`, if that is known."""
        ...
