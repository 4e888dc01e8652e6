"""Forward LSTMs with a skip connection. Their state is all that is carried between chunks."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from worker.engine.encodec.packing import PackedLinear


class Lstm:
    """Stacked LSTM layers with a skip connection: audiocraft's `StreamableLSTM`."""

    def __init__(self, weights: Mapping[str, Tensor], layers: int) -> None:
        """Take the tensors of an `nn.LSTM` whose layers are as wide as their input."""
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
    """See `LayerStream`."""

    def __init__(self, layer: Lstm) -> None:
        self._module = layer.module
        self._state: tuple[Tensor, Tensor] | None = None

    def push(self, x: Tensor, last: bool) -> Tensor:
        if not x.shape[1]:
            return x
        outputs: Tensor
        outputs, self._state = self._module(x.transpose(0, 1), self._state)
        return outputs.transpose(0, 1) + x


State = tuple[Tensor, Tensor]


class Cell(Protocol):
    """One LSTM layer with the formulas of `nn.LSTM`."""

    def run(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run x [time, batch, width]. Returns outputs of that shape and the new state: hidden and cell.

        May overwrite `state`; None is zeros.
        """
        ...


class PackedLstm:
    """`Lstm` for CPUs. Each layer processes a whole chunk before the next layer, so its weights stay cached."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells

    def stream(self) -> "PackedLstmStream":
        return PackedLstmStream(self)

    def final(self, length: int) -> int:
        return length


class PackedLstmStream:
    """See `LayerStream`."""

    def __init__(self, layer: PackedLstm) -> None:
        self._cells = layer.cells
        self._states: list[State | None] = [None] * len(layer.cells)

    def push(self, x: Tensor, last: bool) -> Tensor:
        if not x.shape[1]:
            return x
        outputs = x.transpose(0, 1).contiguous()
        for number, cell in enumerate(self._cells):
            outputs, self._states[number] = cell.run(outputs, self._states[number])
        return outputs.transpose(0, 1) + x


class PackedCell:
    """A `Cell` of matrices packed for oneDNN."""

    def __init__(self, weights: Mapping[str, Tensor], layer: int, dtype: torch.dtype) -> None:
        """Take the tensors of an `nn.LSTM` whose layers are as wide as their input, and what they multiply."""
        from_input, from_state, bias = cell_weights(weights, layer)
        self.width = from_state.shape[1]
        self._from_input = PackedLinear(_gates_in_order(from_input), _gates_in_order(bias), dtype)
        self._from_state = PackedLinear(_gates_in_order(from_state), dtype=dtype)

    def run(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """See `Cell`."""
        hidden, cell = state or (x.new_zeros(x.shape[1:]), x.new_zeros(x.shape[1:]))
        outputs = torch.empty_like(x)
        for gates, output in zip(self._from_input(x).unbind(), outputs.unbind(), strict=True):
            gates += self._from_state(hidden)
            candidate = gates[:, 3 * self.width :].tanh_()
            keep, write, show = gates[:, : 3 * self.width].sigmoid_().chunk(3, 1)
            cell.mul_(keep).addcmul_(write, candidate)
            hidden = torch.mul(cell.tanh(), show, out=output)
        # A copy: a view would keep all outputs in memory.
        return outputs, (hidden.clone(), cell)


def cell_weights(weights: Mapping[str, Tensor], layer: int) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices of a layer from its input and from its state, and the sum of their biases."""
    bias = weights[f"bias_ih_l{layer}"] + weights[f"bias_hh_l{layer}"]
    return weights[f"weight_ih_l{layer}"], weights[f"weight_hh_l{layer}"], bias


def _gates_in_order(tensor: Tensor) -> Tensor:
    """Reorder PyTorch's input, forget, candidate, output, so that the three sigmoid gates are adjacent."""
    write, keep, candidate, show = tensor.chunk(4)
    return torch.cat((keep, write, show, candidate))
