"""Linear layers without bias, in the precision that suits the device."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Precision = Literal["float32", "float16", "bfloat16", "int8", "int4"]

# [..., in] → [..., out]
Linear = Callable[[Tensor], Tensor]

# Avoids division by zero for a row of zeros.
_TINY = 1e-12

# Of what is not multiplied in integers.
DTYPES = {
    "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "int8": torch.float32,
    "int4": torch.float32,
}  # fmt: skip


def make_linear(weight: Tensor, precision: Precision, device: torch.device) -> Linear:
    """A linear layer with `weight` of shape [out, in].

    Raises:
        ValueError: for int4, which only the native step has.
    """
    if precision == "int4":
        raise ValueError("PyTorch's operations do not compute in int4")
    if precision == "int8":
        return Int8Linear(weight)
    return FloatLinear(weight.to(device, DTYPES[precision]))


class FloatLinear:
    """Computes in the dtype of the weight."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight)


class Int8Linear:
    """Dynamic int8 quantization on a CPU: one scale per output for weights, one per row for activations.

    A row's scale depends on that row alone and integer sums are exact, so a row's result does not depend on the
    rest of the batch. Without VNNI the multiply-add instruction saturates at 16 bits; activations then use seven
    bits. The operator is the one that PyTorch's compiler emits for oneDNN.
    """

    def __init__(self, weight: Tensor) -> None:
        weight = weight.float()
        self._scale = weight.abs().amax(1).clamp_(min=_TINY).div_(127)
        quantized = (weight / self._scale[:, None]).round_().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(quantized, None)
        self._zero_points = torch.zeros(len(weight), dtype=torch.int32)
        self._tiny = torch.tensor(_TINY)
        self._levels = 127 if torch.cpu._is_vnni_supported() else 63
        # Adding a half before truncation rounds, because the values are never negative.
        self._middle = torch.tensor(self._levels + 1.5)
        self._product = torch.ops.onednn.qlinear_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        scale = torch.add(self._tiny, x.abs().amax(-1, keepdim=True), alpha=1 / self._levels)
        quantized = torch.addcdiv(self._middle, x, scale).to(torch.uint8)
        product: Tensor = self._product(
            quantized, 1.0, self._levels + 1, self._packed, self._scale, self._zero_points,
            None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return product.mul_(scale)


def can_int8() -> bool:
    """Whether int8 kernels exist on this CPU and in this build of PyTorch, and compute correctly."""
    with torch.inference_mode():
        weight, x = torch.linspace(-1, 1, 64 * 32).view(32, 64), torch.linspace(-1, 1, 3 * 64).view(3, 64)
        try:
            return bool(torch.allclose(Int8Linear(weight)(x), functional.linear(x, weight), atol=0.5))
        except (RuntimeError, AttributeError):
            return False
