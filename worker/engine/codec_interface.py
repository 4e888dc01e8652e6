"""The interface of a codec, which decodes codes to audio. Implementations: `encodec` and `sampler`."""

from typing import Protocol

from torch import Tensor

from worker.engine.interface import UnsupportedCheckpointError


class UnsupportedCodecError(UnsupportedCheckpointError):
    """The codec has a feature that this code does not support; the reference engine may."""


class CodecStream(Protocol):
    """Decodes one piece, chunk by chunk. Not thread-safe."""

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        """Decode the next codes. How a piece is split into chunks does not change its audio.

        Args:
            codes: int64 of shape [codebooks, frames], on any device; possibly without frames.
            last: whether these codes end the piece.

        Returns:
            float32 of shape [channels, samples] on the codec's device: the samples that are final now, possibly
            none. With `last` all the rest, so that a piece has `samples_per_frame` samples per frame.

        Raises:
            ValueError: if the piece has already ended.
        """
        ...


class Codec(Protocol):
    """A loaded codec. Its streams are independent."""

    @property
    def sample_rate(self) -> int:
        """Sample rate in hertz."""
        ...

    @property
    def channels(self) -> int:
        """Audio channels: 1 is mono, 2 is stereo."""
        ...

    @property
    def samples_per_frame(self) -> int:
        """The fewest samples that one frame decodes to."""
        ...

    @property
    def frame_rate(self) -> float:
        """The most frames per second. A codec whose codes set the tempo may use fewer."""
        ...

    @property
    def codebooks(self) -> int:
        """Codes per frame."""
        ...

    @property
    def codebook_size(self) -> int:
        """Codes per codebook."""
        ...

    @property
    def lookahead(self) -> int:
        """Frames that must follow a frame before all of its samples are final."""
        ...

    @property
    def lead_in(self) -> int:
        """The most frames at the start that produce no audio."""
        ...

    def stream(self, total_samples: int | None = None) -> CodecStream:
        """Start a piece. If `total_samples` is given, a codec may shape the ending to it."""
        ...
