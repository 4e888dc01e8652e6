"""Layers of EnCodec's decoder that the native library computes, on processors with AVX512-BF16."""

from collections.abc import Mapping

import torch
from torch import Tensor

from worker.engine.encodec.input_buffer import PadMode
from worker.engine.encodec.layers import ResidualUnit
from worker.engine.encodec.lstm import State, cell_weights
from worker.engine.kernels.codec_layers import UNITS, CodecThreads, ConvolutionWeights, gates_in_order


class NativeConvolution:
    """See `StreamConvolution`."""

    def __init__(self, threads: CodecThreads, weight: Tensor, bias: Tensor, dilation: int = 1) -> None:
        """Take weight [out, in, taps] and bias [out]."""
        self.weights = ConvolutionWeights(weight, bias, dilation)
        self.width, self.reach = self.weights.width, self.weights.reach
        self.threads = threads

    def __call__(self, x: Tensor, *, activated: bool = False) -> Tensor:
        """See `StreamConvolution`."""
        return self.threads.convolve(self.weights, x, activated=activated)


class NativeResidualUnit(ResidualUnit):
    """A `ResidualUnit` without a shortcut, in one call."""

    def __init__(self, wide: NativeConvolution, pointwise: NativeConvolution, mode: PadMode) -> None:
        super().__init__(wide, pointwise, None, mode)
        self._threads = wide.threads
        self._weights = wide.weights, pointwise.weights

    def compute(self, window: Tensor) -> Tensor:
        """See `ResidualUnit.compute`."""
        return self._threads.residual(*self._weights, window)


class NativeCell:
    """See `Cell`. `fits` tells which widths it can have."""

    def __init__(self, threads: CodecThreads, weights: Mapping[str, Tensor], layer: int) -> None:
        """Take the tensors of an `nn.LSTM` whose layers are as wide as their input."""
        from_input, from_state, bias = (gates_in_order(tensor) for tensor in cell_weights(weights, layer))
        self._from_input = ConvolutionWeights(from_input[:, :, None], bias)
        self._from_state = ConvolutionWeights(from_state[:, :, None])
        self._threads = threads

    @staticmethod
    def fits(width: int) -> bool:
        return width % UNITS == 0

    def run(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """See `Cell`."""
        hidden, cell = state or (torch.zeros_like(x[0]), torch.zeros_like(x[0]))
        return self._threads.lstm(self._from_input, self._from_state, x, hidden, cell), (hidden, cell)
