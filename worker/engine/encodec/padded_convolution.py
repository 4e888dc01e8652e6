"""The convolutions at both ends of the decoder."""

from torch import Tensor

from worker.engine.encodec.activation import elu_
from worker.engine.encodec.convolution import Convolution
from worker.engine.encodec.narrow_convolution import NarrowConvolution
from worker.engine.encodec.window import PadMode, Window, final_of_window


class PaddedConvolution:
    """As many outputs as inputs: audiocraft's `StreamableConv1d` without a stride, perhaps after an ELU."""

    def __init__(self, convolution: Convolution | NarrowConvolution, mode: PadMode, *, activated: bool) -> None:
        self.convolution = convolution
        self.mode = mode
        self.activated = activated
        self.after = convolution.reach // 2
        self.before = convolution.reach - self.after

    def stream(self) -> "PaddedConvolutionStream":
        return PaddedConvolutionStream(self)

    def final(self, length: int) -> int:
        return final_of_window(length, self.before, self.after, self.mode)


class PaddedConvolutionStream:
    """One piece on its way through a padded convolution."""

    def __init__(self, layer: PaddedConvolution) -> None:
        self._layer = layer
        self._window = Window(layer.before, layer.after, layer.convolution.reach, layer.mode)

    def push(self, x: Tensor, last: bool) -> Tensor:
        if self._layer.activated:
            x = elu_(x)
        return self._layer.convolution(self._window.push(x, last))
