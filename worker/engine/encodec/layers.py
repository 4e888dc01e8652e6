"""Streaming layers of EnCodec's decoder, which process a piece chunk by chunk.

Tensors are [batch, time, channels]: a convolution is then a matrix product, and a transposed convolution writes its
outputs in order.
"""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.encodec.convolution import Convolution, NarrowConvolution
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


_LOG2_E = math.log2(math.e)


def elu(x: Tensor) -> Tensor:
    """max(x, exp(min(x, 0)) - 1), which is x where it is positive (Clevert et al., 2016).

    On a CPU it uses exp2, which takes a sixth of the time of PyTorch's elu.
    """
    if x.device.type != "cpu":
        return functional.elu(x)
    curve = _below_zero(x)
    return torch.maximum(x, curve, out=curve)


def elu_(x: Tensor) -> Tensor:
    """`elu` in place."""
    if x.device.type != "cpu":
        return functional.elu_(x)
    return torch.maximum(x, _below_zero(x), out=x)


def _below_zero(x: Tensor) -> Tensor:
    return x.clamp(max=0).mul_(_LOG2_E).exp2_().sub_(1)


class PaddedConvolution:
    """A convolution that keeps the length, optionally after an ELU: audiocraft's `StreamableConv1d` with stride 1."""

    def __init__(self, convolution: Convolution | NarrowConvolution, mode: PadMode, *, activated: bool) -> None:
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
        if self._layer.activated:
            x = elu_(x)
        return self._layer.convolution(self._buffer.push(x, last))


class ResidualUnit:
    """x + pointwise(ELU(wide(ELU(x)))): audiocraft's `SEANetResnetBlock`."""

    def __init__(self, wide: Convolution, pointwise: Convolution, shortcut: Convolution | None, mode: PadMode) -> None:
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


class ResidualStream:
    """See `LayerStream`."""

    def __init__(self, unit: ResidualUnit) -> None:
        self._unit = unit
        self._buffer = InputBuffer(unit.before, unit.after, unit.wide.reach, unit.mode)

    def push(self, x: Tensor, last: bool) -> Tensor:
        unit = self._unit
        window = self._buffer.push(x, last)
        hidden = unit.wide(elu(window))
        outputs = unit.pointwise(elu_(hidden))
        straight = window[:, unit.before : unit.before + outputs.shape[1]]
        return outputs.add_(straight if unit.shortcut is None else unit.shortcut(straight))


class Upsampling:
    """An ELU and a transposed convolution twice as long as its stride: audiocraft's `StreamableConvTranspose1d`.

    Each block of `stride` outputs depends on two inputs. A convolution over pairs of inputs with stride × out channels
    therefore computes the outputs in memory order.
    """

    def __init__(self, weight: Tensor, bias: Tensor, stride: int, dtype: torch.dtype) -> None:
        """Take weight [in, out, 2 × stride] and bias [out] of the transposed convolution, and what is multiplied."""
        inputs, outputs, _ = weight.shape
        earlier_and_later = weight.view(inputs, outputs, 2, stride).flip(2)
        pairs = earlier_and_later.permute(3, 1, 0, 2).reshape(stride * outputs, inputs, 2)
        self.convolution = Convolution(pairs, bias.repeat(stride), dtype=dtype)
        self.width = outputs
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
        runs = layer.convolution(self._buffer.push(elu_(x), last))
        outputs = runs.view(len(runs), -1, layer.width)
        begin = min(self._to_cut, outputs.shape[1])
        self._to_cut -= begin
        return outputs[:, begin : outputs.shape[1] - (layer.cut_after if last else 0)]
