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


def short_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it twice as fast as float32, else float32."""
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32


class PackedConvolution:
    """An unpadded convolution over images one pixel high."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int, dtype: torch.dtype) -> None:
        """Take weight [out, in, 1, taps] and bias [out], both float32, and the type that is multiplied."""
        self._dtype = dtype
        weight, self._bias = weight.to(dtype), bias.to(dtype)
        self._dilation = (1, dilation)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, (0, 0), (1, 1), self._dilation, 1, None)
        self._operator = torch.ops.mkldnn._convolution_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        """[batch, in, 1, time] → [batch, out, 1, time], both float32."""
        x = x.to(self._dtype)
        outputs: Tensor = self._operator(x, self._weight, self._bias, (0, 0), (1, 1), self._dilation, 1, "none", (), "")
        return outputs.float()


class PackedLinear:
    """A linear layer with an optional bias."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None, dtype: torch.dtype = torch.float32) -> None:
        """Take weight [out, in] and bias [out], both float32, and the type that is multiplied."""
        self._dtype = dtype
        self._bias = None if bias is None else bias.to(dtype)
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype))
        self._operator = torch.ops.mkldnn._linear_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        """[..., in] → [..., out], both float32."""
        outputs: Tensor = self._operator(x.to(self._dtype), self._weight, self._bias, "none", (), "")
        return outputs.float()
