"""A convolution over time without padding, as a matrix product."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.encodec.packing import PackedConvolution, can_pack


class Convolution:
    """Weights and bias, laid out for vectors in time order.

    To PyTorch it is a two-dimensional convolution over images one pixel high whose channels lie innermost: that is
    the layout in which its libraries multiply without rearranging the audio.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int = 1) -> None:
        """Take weight [out, in, taps] and bias [out], both float32 on the device to compute on."""
        self.width = len(bias)
        self.reach = (weight.shape[2] - 1) * dilation
        self._run = _prepare(weight[:, :, None].contiguous(memory_format=torch.channels_last), bias, dilation)

    def __call__(self, x: Tensor) -> Tensor:
        """The outputs of x [batch, time, in] as [batch, time - reach, out], none if time is too short."""
        if x.shape[1] <= self.reach:
            return x.new_empty(len(x), 0, self.width)
        image = x[:, None].permute(0, 3, 1, 2)
        outputs = self._run(image)
        return outputs[:, :, 0].permute(0, 2, 1).contiguous()


def _prepare(weight: Tensor, bias: Tensor, dilation: int) -> Callable[[Tensor], Tensor]:
    if can_pack(weight):
        return PackedConvolution(weight, bias, dilation)
    return partial(functional.conv2d, weight=weight, bias=bias, dilation=(1, dilation))
