"""Streaming layers of EnCodec's decoder, which process a piece chunk by chunk.

Tensors are [batch, time, channels]: a convolution is then a matrix product, and a transposed convolution writes its
outputs in order.
"""

from typing import Protocol

from torch import Tensor

from worker.engine.encodec.convolution import StreamConvolution
from worker.engine.encodec.input_buffer import InputBuffer, PadMode, final_outputs


class LayerStream(Protocol):
    """Processes one piece in a layer."""

    def push(self, x: Tensor, last: bool) -> Tensor:
        """Add inputs and return the outputs that became final.

        Args:
            x: float32 of shape [batch, time, channels], possibly with time 0. The layer may overwrite it.
            last: whether it ends the piece.

        Returns:
            float32 of shape [batch, time, channels], possibly with time 0; the caller owns it.
        """
        ...


class StreamingLayer(Protocol):
    """A layer whose weights all streams share."""

    def stream(self) -> LayerStream:
        """Start a piece."""
        ...

    def final(self, length: int) -> int:
        """How many outputs are final after `length` inputs if more follow."""
        ...


class PaddedConvolution:
    """A convolution that keeps the length, optionally after an ELU: audiocraft's `StreamableConv1d` with stride 1."""

    def __init__(self, convolution: StreamConvolution, mode: PadMode, *, activated: bool) -> None:
        self.convolution = convolution
        self.mode = mode
        self.activated = activated
        self.after = convolution.reach // 2
        self.before = convolution.reach - self.after

    def stream(self) -> "PaddedConvolutionStream":
        return PaddedConvolutionStream(self)

    def final(self, length: int) -> int:
        return final_outputs(length, self.before, self.after, self.mode)


class PaddedConvolutionStream:
    """See `LayerStream`."""

    def __init__(self, layer: PaddedConvolution) -> None:
        self._layer = layer
        self._buffer = InputBuffer(layer.before, layer.after, layer.convolution.reach, layer.mode)

    def push(self, x: Tensor, last: bool) -> Tensor:
        return self._layer.convolution(self._buffer.push(x, last), activated=self._layer.activated)


class ResidualUnit:
    """x + pointwise(ELU(wide(ELU(x)))): audiocraft's `SEANetResnetBlock`."""

    def __init__(
        self,
        wide: StreamConvolution,
        pointwise: StreamConvolution,
        shortcut: StreamConvolution | None,
        mode: PadMode,
    ) -> None:
        """Take the wide and the pointwise convolution, and one that replaces x in the sum, if any."""
        self.wide = wide
        self.pointwise = pointwise
        self.shortcut = shortcut
        self.mode = mode
        self.after = wide.reach // 2
        self.before = wide.reach - self.after

    def stream(self) -> "ResidualStream":
        return ResidualStream(self)

    def final(self, length: int) -> int:
        return final_outputs(length, self.before, self.after, self.mode)

    def compute(self, window: Tensor) -> Tensor:
        """The outputs of [batch, time, channels], which are `before + after` fewer in time."""
        outputs = self.pointwise(self.wide(window, activated=True), activated=True)
        straight = window[:, self.before : self.before + outputs.shape[1]]
        return outputs.add_(straight if self.shortcut is None else self.shortcut(straight))


class ResidualStream:
    """See `LayerStream`."""

    def __init__(self, unit: ResidualUnit) -> None:
        self._unit = unit
        self._buffer = InputBuffer(unit.before, unit.after, unit.wide.reach, unit.mode)

    def push(self, x: Tensor, last: bool) -> Tensor:
        return self._unit.compute(self._buffer.push(x, last))


class Upsampling:
    """An ELU and a transposed convolution twice as long as its stride: audiocraft's `StreamableConvTranspose1d`.

    Each block of `stride` outputs depends on two inputs. A convolution over pairs of inputs with stride × out channels
    therefore computes the outputs in memory order.
    """

    def __init__(self, convolution: StreamConvolution, stride: int) -> None:
        """Take a convolution with the weights and the bias that `as_convolution` makes."""
        self.convolution = convolution
        self.width = convolution.width // stride
        self.stride = stride
        # audiocraft trims `stride` samples in total; an odd one at the start.
        self.cut_after = stride // 2
        self.cut_before = stride - self.cut_after

    def stream(self) -> "UpsamplingStream":
        return UpsamplingStream(self)

    def final(self, length: int) -> int:
        return max(length * self.stride - self.cut_before, 0)


class UpsamplingStream:
    """See `LayerStream`."""

    def __init__(self, layer: Upsampling) -> None:
        self._layer = layer
        self._buffer = InputBuffer(1, 1, 1, "constant")
        self._to_cut = layer.cut_before

    def push(self, x: Tensor, last: bool) -> Tensor:
        layer = self._layer
        runs = layer.convolution(self._buffer.push(x, last), activated=True)
        outputs = runs.view(len(runs), -1, layer.width)
        begin = min(self._to_cut, outputs.shape[1])
        self._to_cut -= begin
        return outputs[:, begin : outputs.shape[1] - (layer.cut_after if last else 0)]


def as_convolution(weight: Tensor, bias: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Weight [in, out, 2 × stride] and bias [out] of a transposed convolution, as one for `Upsampling`."""
    inputs, outputs, _ = weight.shape
    earlier_and_later = weight.view(inputs, outputs, 2, stride).flip(2)
    return earlier_and_later.permute(3, 1, 0, 2).reshape(stride * outputs, inputs, 2), bias.repeat(stride)
