"""Convolutions over time without padding, as matrix products."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.encodec.packing import PackedConvolution, can_pack


class Convolution:
    """A convolution over vectors in time order.

    It runs as a two-dimensional convolution over images one pixel high. In channels-last layout, PyTorch's libraries
    need not rearrange the audio.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int = 1, dtype: torch.dtype = torch.float32) -> None:
        """Take weight [out, in, taps] and bias [out], both float32, on the device, and what is multiplied if packed."""
        self.width = len(bias)
        self.reach = (weight.shape[2] - 1) * dilation
        self._run = _prepare(weight[:, :, None].contiguous(memory_format=torch.channels_last), bias, dilation, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """The outputs of x [batch, time, in] as [batch, time - reach, out]; empty if time is too short."""
        if x.shape[1] <= self.reach:
            return x.new_empty(len(x), 0, self.width)
        image = x[:, None].permute(0, 3, 1, 2)
        outputs = self._run(image)
        return outputs[:, :, 0].permute(0, 2, 1).contiguous()


def _prepare(weight: Tensor, bias: Tensor, dilation: int, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    if can_pack(weight):
        return PackedConvolution(weight, bias, dilation, dtype)
    return partial(functional.conv2d, weight=weight, bias=bias, dilation=(1, dilation))


class NarrowConvolution:
    """A `Convolution` with very few output channels: one matrix product for all taps, then a shifted sum.

    A product with a single output per row would leave most of a vector unit idle.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Take weight [out, in, taps] and bias [out]."""
        outputs, inputs, self._taps = weight.shape
        self.width = outputs
        self.reach = self._taps - 1
        self._bias = bias
        every_tap = weight.permute(2, 0, 1).reshape(self._taps * outputs, inputs, 1)
        self._product = Convolution(every_tap, bias.new_zeros(self._taps * outputs))

    def __call__(self, x: Tensor) -> Tensor:
        """See `Convolution`."""
        length = max(x.shape[1] - self.reach, 0)
        products = self._product(x).view(*x.shape[:2], self._taps, self.width)
        outputs = self._bias.expand(len(x), length, self.width)
        for tap in range(self._taps):
            outputs = outputs + products[:, tap : tap + length, tap]
        return outputs
