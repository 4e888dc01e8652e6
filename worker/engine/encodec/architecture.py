"""The shape of an EnCodec decoder, whichever format it came in."""

import math
from typing import Annotated

import msgspec

from worker.engine.encodec.input_buffer import PadMode

Size = Annotated[int, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """SEANet's decoder and the codebooks before it; not causal, activated by ELU.

    Attributes:
        sample_rate: in hertz.
        channels: of the audio.
        dimension: of the codebooks' vectors.
        filters: channels before the last convolution; each upsampling halves them until there.
        ratios: what each upsampling multiplies the rate by.
        residual_layers: residual units after each upsampling.
        dilation_base: by what their dilation grows.
        compress: by what the channels inside them shrink.
        convolutional_shortcut: whether a convolution, and not the input itself, goes around them.
        lstm_layers: 0 for none.
        pad_mode: what lies beyond both ends of a convolution's input.
        codebooks: how many of `codebook_size` entries each.
    """

    sample_rate: int
    channels: int
    dimension: int
    filters: int
    ratios: tuple[int, ...]
    residual_layers: int
    kernel_size: int
    last_kernel_size: int
    residual_kernel_size: int
    dilation_base: int
    compress: int
    convolutional_shortcut: bool
    lstm_layers: int
    pad_mode: PadMode
    codebooks: int
    codebook_size: int

    @property
    def samples_per_frame(self) -> int:
        return math.prod(self.ratios)
