"""A convolution over time without padding, as a matrix product."""

import torch
from torch import Tensor
from torch.nn import functional


class Convolution:
    """Weights and bias, laid out for vectors in time order.

    To PyTorch it is a two-dimensional convolution over images one pixel high whose channels lie innermost: that is
    the layout in which its libraries multiply without rearranging the audio.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int = 1) -> None:
        """Take weight [out, in, taps] and bias [out], both float32 on the device to compute on."""
        self.width = len(bias)
        self.reach = (weight.shape[2] - 1) * dilation
        self._weight = weight[:, :, None].contiguous(memory_format=torch.channels_last)
        self._bias = bias
        self._dilation = (1, dilation)

    def __call__(self, x: Tensor) -> Tensor:
        """The outputs of x [batch, time, in] as [batch, time - reach, out], none if time is too short."""
        if x.shape[1] <= self.reach:
            return x.new_empty(len(x), 0, self.width)
        image = x[:, None].permute(0, 3, 1, 2)
        outputs = functional.conv2d(image, self._weight, self._bias, dilation=self._dilation)
        return outputs[:, :, 0].permute(0, 2, 1).contiguous()
