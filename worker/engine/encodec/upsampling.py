"""The transposed convolutions, each of which turns a vector into several."""

from torch import Tensor

from worker.engine.encodec.activation import elu_
from worker.engine.encodec.convolution import Convolution
from worker.engine.encodec.window import Window


class Upsampling:
    """An ELU and a transposed convolution twice as long as its stride: audiocraft's `StreamableConvTranspose1d`.

    Every run of `stride` outputs is a product of the two inputs that reach it. Computed as a convolution over pairs
    of inputs with stride × out channels, its outputs lie in memory in the order in which they follow each other.
    """

    def __init__(self, weight: Tensor, bias: Tensor, stride: int) -> None:
        """Take the weight [in, out, 2 × stride] and bias [out] of the transposed convolution."""
        inputs, outputs, _ = weight.shape
        earlier_and_later = weight.view(inputs, outputs, 2, stride).flip(2)
        pairs = earlier_and_later.permute(3, 1, 0, 2).reshape(stride * outputs, inputs, 2)
        self.convolution = Convolution(pairs, bias.repeat(stride))
        self.width = outputs
        self.stride = stride
        # Audiocraft cuts `stride` samples off: the odd one at the begin.
        self.cut_after = stride // 2
        self.cut_before = stride - self.cut_after

    def stream(self) -> "UpsamplingStream":
        return UpsamplingStream(self)

    def final(self, length: int) -> int:
        return max(length * self.stride - self.cut_before, 0)


class UpsamplingStream:
    """One piece on its way through an upsampling."""

    def __init__(self, layer: Upsampling) -> None:
        self._layer = layer
        self._window = Window(1, 1, 1, "constant")
        self._to_cut = layer.cut_before

    def push(self, x: Tensor, last: bool) -> Tensor:
        layer = self._layer
        runs = layer.convolution(self._window.push(elu_(x), last))
        outputs = runs.view(len(runs), -1, layer.width)
        begin = min(self._to_cut, outputs.shape[1])
        self._to_cut -= begin
        return outputs[:, begin : outputs.shape[1] - (layer.cut_after if last else 0)]
