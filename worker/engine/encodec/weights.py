"""The tensors of a decoder, handed out one by one with their shapes checked and their weight norm folded in."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from worker.engine.codec_interface import UnsupportedCodecError

# What `DecoderWeights` calls the codebooks, followed by their number.
CODEBOOK = "codebook"

# What audiocraft and transformers put between a layer's position and its tensor.
_WRAPPERS = frozenset({"conv", "convtr", "lstm"})
# PyTorch's newer weight norm, and what its older one calls the same two tensors.
_WEIGHT_NORM = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}


class Names(NamedTuple):
    """How a format begins the names of the decoder's tensors, and what follows their number in the codebooks'."""

    decoder: str
    codebooks: str
    codebook_suffix: str


class DecoderWeights:
    """Tensors by the position of their layer in the decoder, float32 and on one device."""

    def __init__(self, tensors: Mapping[str, Tensor], names: Names, device: torch.device) -> None:
        """Keep the decoder's and the codebooks' tensors of a codec; `device` is where `take` puts them."""
        self._left: dict[str, Tensor] = {}
        self._device = device
        for name, tensor in tensors.items():
            if name.startswith(names.decoder):
                self._left[_canonical(name.removeprefix(names.decoder))] = tensor
            elif name.startswith(names.codebooks) and name.endswith(names.codebook_suffix):
                number = name.removeprefix(names.codebooks).removesuffix(names.codebook_suffix)
                self._left[f"{CODEBOOK}.{number}"] = tensor

    def take(self, name: str, *shape: int) -> Tensor:
        """The tensor `name` of exactly this shape, which is then no longer left over.

        Raises:
            UnsupportedCodecError: if it is missing, of another shape, or holds no floats.
        """
        tensor = self._left.pop(name, None)
        if tensor is None:
            raise UnsupportedCodecError(f"The decoder's weights lack {name}.")
        if tuple(tensor.shape) != shape:
            raise UnsupportedCodecError(f"{name} has the shape {list(tensor.shape)} instead of {list(shape)}.")
        if not tensor.is_floating_point():
            raise UnsupportedCodecError(f"{name} holds {tensor.dtype}, not floats.")
        return tensor.detach().to(self._device, torch.float32)

    def take_weight(self, layer: str, *shape: int) -> Tensor:
        """The weight of a convolution, in its own right or as direction and length (Salimans and Kingma, 2016).

        Raises:
            UnsupportedCodecError: if it is missing or of another shape.
        """
        if f"{layer}.weight_g" not in self._left:
            return self.take(f"{layer}.weight", *shape)
        length = self.take(f"{layer}.weight_g", shape[0], 1, 1)
        direction = self.take(f"{layer}.weight_v", *shape)
        return torch._weight_norm(direction, length, 0)

    def check_nothing_left(self) -> None:
        """Raises UnsupportedCodecError if one of the decoder was never taken: it would change what comes out."""
        unknown = [name for name in self._left if not name.startswith(CODEBOOK)]
        if unknown:
            raise UnsupportedCodecError(f"The decoder has an unknown tensor {min(unknown)}.")


def _canonical(name: str) -> str:
    for newer, older in _WEIGHT_NORM.items():
        name = name.replace(newer, older)
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)
