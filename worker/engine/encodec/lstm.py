"""The recurrence: it runs forward only, so that each frame passes it once and its state is all that is carried."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Lstm:
    """A stack of LSTM layers with a skip around it: audiocraft's `StreamableLSTM`."""

    def __init__(self, weights: Mapping[str, Tensor], layers: int) -> None:
        """Take the tensors of an `nn.LSTM` with `layers` layers that are as wide as their input."""
        width = weights["weight_hh_l0"].shape[1]
        with torch.device("meta"):
            self.module = nn.LSTM(width, width, layers)
        self.module.load_state_dict(dict(weights), assign=True)
        self.module.flatten_parameters()

    def stream(self) -> "LstmStream":
        return LstmStream(self)

    def final(self, length: int) -> int:
        return length


class LstmStream:
    """One piece on its way through the recurrence."""

    def __init__(self, layer: Lstm) -> None:
        self._module = layer.module
        self._state: tuple[Tensor, Tensor] | None = None

    def push(self, x: Tensor, last: bool) -> Tensor:
        if not x.shape[1]:
            return x
        outputs: Tensor
        outputs, self._state = self._module(x.transpose(0, 1), self._state)
        return outputs.transpose(0, 1) + x
