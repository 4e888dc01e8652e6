"""The ELU, which stands before every convolution but the first."""

import math

import torch
from torch import Tensor
from torch.nn import functional

_LOG2_E = math.log2(math.e)


def elu(x: Tensor) -> Tensor:
    """max(x, exp(min(x, 0)) - 1), which is x where it is positive (Clevert et al., 2016).

    On a CPU by powers of two: PyTorch's exp2 takes a sixth of the time of its elu.
    """
    if x.device.type != "cpu":
        return functional.elu(x)
    curve = _below_zero(x)
    return torch.maximum(x, curve, out=curve)


def elu_(x: Tensor) -> Tensor:
    """`elu`, written over x."""
    if x.device.type != "cpu":
        return functional.elu_(x)
    return torch.maximum(x, _below_zero(x), out=x)


def _below_zero(x: Tensor) -> Tensor:
    return x.clamp(max=0).mul_(_LOG2_E).exp2_().sub_(1)
