"""Weights packed once for oneDNN; PyTorch's public functions would repack them in every call.

The operators are those that PyTorch's compiler emits. On two cores of an AMD EPYC 9005 they are twice as fast as its
BLAS, and with few frames and many weights packing costs more than the product itself.
"""

import platform

import torch
from torch import Tensor


def can_pack(weight: Tensor) -> bool:
    """Whether the weights are on a processor on which packing was measured to be faster."""
    return (
        weight.device.type == "cpu"
        and platform.machine() in ("x86_64", "AMD64")
        # PyTorch may be built without oneDNN.
        and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
    )


class PackedConvolution:
    """An unpadded convolution over images one pixel high."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int) -> None:
        """Take weight [out, in, 1, taps] and bias [out]."""
        self._bias = bias
        self._dilation = (1, dilation)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, (0, 0), (1, 1), self._dilation, 1, None)
        self._operator = torch.ops.mkldnn._convolution_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        """[batch, in, 1, time] → [batch, out, 1, time]."""
        outputs: Tensor = self._operator(x, self._weight, self._bias, (0, 0), (1, 1), self._dilation, 1, "none", (), "")
        return outputs


class PackedLinear:
    """A linear layer with an optional bias."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """Take weight [out, in] and bias [out]."""
        self._bias = bias
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight)
        self._operator = torch.ops.mkldnn._linear_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        """[..., in] → [..., out]."""
        outputs: Tensor = self._operator(x, self._weight, self._bias, "none", (), "")
        return outputs
