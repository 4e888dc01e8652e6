"""The tensors of EnCodec's encoder or decoder: checks shapes and folds weight norm."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from worker.engine.codec_interface import UnsupportedCodecError
from worker.engine.kernels.codec_layers import CodecThreads

# The name of a codebook in `NetworkWeights`, followed by a dot and its number.
CODEBOOK = "codebook"

# Parts of tensor names that audiocraft and transformers insert after a layer's position.
_WRAPPERS = frozenset({"conv", "convtr", "lstm"})
# Tensor names of PyTorch's newer weight norm, and the older names of the same tensors.
_WEIGHT_NORM = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}


class Names(NamedTuple):
    """Prefixes of tensor names in a file format, and the suffix after a codebook's number."""

    encoder: str
    decoder: str
    codebooks: str
    codebook_suffix: str


class NetworkWeights:
    """Tensors of the encoder or the decoder, by the position of their layer, and the codebooks."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        names: Names,
        part: Literal["encoder", "decoder"],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        native: CodecThreads | None = None,
    ) -> None:
        """Select the tensors of a part and of the codebooks; `take` moves them to `device`.

        `dtype` is what the layers multiply, where they pack their weights. `native` computes layers in bfloat16.
        """
        self.dtype = dtype
        self.native = native
        self._part = part
        self._left: dict[str, Tensor] = {}
        self._device = device
        prefix = names.encoder if part == "encoder" else names.decoder
        for name, tensor in tensors.items():
            if name.startswith(prefix):
                self._left[_canonical(name.removeprefix(prefix))] = tensor
            elif name.startswith(names.codebooks) and name.endswith(names.codebook_suffix):
                number = name.removeprefix(names.codebooks).removesuffix(names.codebook_suffix)
                self._left[f"{CODEBOOK}.{number}"] = tensor

    def take(self, name: str, *shape: int) -> Tensor:
        """Remove and return the tensor `name`, as float32.

        Raises:
            UnsupportedCodecError: if it is missing, has another shape, or does not hold floats.
        """
        tensor = self._left.pop(name, None)
        if tensor is None:
            raise UnsupportedCodecError(f"The {self._part}'s weights lack {name}.")
        if tuple(tensor.shape) != shape:
            raise UnsupportedCodecError(f"{name} has the shape {list(tensor.shape)} instead of {list(shape)}.")
        if not tensor.is_floating_point():
            raise UnsupportedCodecError(f"{name} holds {tensor.dtype}, not floats.")
        return tensor.detach().to(self._device, torch.float32)

    def take_weight(self, layer: str, *shape: int) -> Tensor:
        """Remove and return the weight of a convolution, with weight norm (Salimans and Kingma, 2016) folded in.

        Raises:
            UnsupportedCodecError: as in `take`.
        """
        if f"{layer}.weight_g" not in self._left:
            return self.take(f"{layer}.weight", *shape)
        length = self.take(f"{layer}.weight_g", shape[0], 1, 1)
        direction = self.take(f"{layer}.weight_v", *shape)
        return torch._weight_norm(direction, length, 0)

    def take_lstm(self, layer: str, width: int, layers: int) -> dict[str, Tensor]:
        """Remove and return the tensors of an `nn.LSTM` whose layers are as wide as their input.

        Raises:
            UnsupportedCodecError: as in `take`.
        """
        tensors = {}
        for number in range(layers):
            for name in (f"{kind}_{side}_l{number}" for kind in ("weight", "bias") for side in ("ih", "hh")):
                shape = (4 * width, width) if name.startswith("weight") else (4 * width,)
                tensors[name] = self.take(f"{layer}.{name}", *shape)
        return tensors

    def check_nothing_left(self) -> None:
        """Raises UnsupportedCodecError if a tensor of the part was not taken: it would change the output."""
        unknown = [name for name in self._left if not name.startswith(CODEBOOK)]
        if unknown:
            raise UnsupportedCodecError(f"The {self._part} has an unknown tensor {min(unknown)}.")


def _canonical(name: str) -> str:
    for newer, older in _WEIGHT_NORM.items():
        name = name.replace(newer, older)
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)
