"""The architecture of EnCodec's encoder or decoder, independent of its file format."""

import math
from typing import Annotated

import msgspec

from worker.engine.encodec.input_buffer import PadMode

Size = Annotated[int, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """The codebooks and SEANet's encoder or decoder, which is not causal and uses ELU.

    Attributes:
        sample_rate: in hertz.
        channels: channels of the audio.
        dimension: dimension of the codebooks' vectors.
        filters: channels before the decoder's last convolution; each upsampling halves the channels.
        ratios: upsampling factors. The encoder has the same layers in reverse order.
        residual_layers: residual units after each upsampling.
        dilation_base: growth factor of their dilation.
        compress: reduction factor of their inner channels.
        convolutional_shortcut: whether their shortcut is a convolution rather than the identity.
        lstm_layers: 0 for none.
        pad_mode: padding at both ends of a convolution's input.
        codebooks: number of codebooks.
        codebook_size: entries per codebook.
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
