"""Build the layers of EnCodec's decoder from its weights."""

from collections.abc import Mapping
from itertools import count

from torch import Tensor

from worker.engine.encodec.architecture import Architecture
from worker.engine.encodec.convolution import Convolution, NarrowConvolution, StreamConvolution
from worker.engine.encodec.layers import PaddedConvolution, ResidualUnit, StreamingLayer, Upsampling, as_convolution
from worker.engine.encodec.lstm import Cell, Lstm, PackedCell, PackedLstm
from worker.engine.encodec.native import NativeCell, NativeConvolution, NativeResidualUnit
from worker.engine.encodec.packing import can_pack
from worker.engine.encodec.weights import NetworkWeights

# `NarrowConvolution` is faster up to this many output channels.
NARROW = 2


def build_layers(architecture: Architecture, weights: NetworkWeights) -> list[StreamingLayer]:
    """Build the layers from the codebooks' vectors to samples, in the order of audiocraft's `SEANetDecoder`.

    Raises:
        UnsupportedCodecError: if the weights do not match the architecture.
    """
    return _Builder(architecture, weights).build()


class _Builder:
    """Counts the positions of layers in the module lists of audiocraft and transformers."""

    def __init__(self, architecture: Architecture, weights: NetworkWeights) -> None:
        self._architecture = architecture
        self._weights = weights
        self._positions = count()

    def build(self) -> list[StreamingLayer]:
        shape = self._architecture
        width = shape.filters * 2 ** len(shape.ratios)
        layers: list[StreamingLayer] = [self._end(shape.dimension, width, shape.kernel_size, activated=False)]
        if shape.lstm_layers:
            layers.append(self._lstm(width))
        for ratio in shape.ratios:
            layers.append(self._upsampling(width, ratio))
            width //= 2
            layers += [self._residual(width, shape.dilation_base**power) for power in range(shape.residual_layers)]
        layers.append(self._end(width, shape.channels, shape.last_kernel_size, activated=True))
        self._weights.check_nothing_left()
        return layers

    def _position(self, *, activated: bool) -> str:
        """The next layer's position; an activation before it takes one too."""
        if activated:
            next(self._positions)
        return str(next(self._positions))

    def _end(self, inputs: int, outputs: int, taps: int, *, activated: bool) -> StreamingLayer:
        position = self._position(activated=activated)
        convolution = self._convolution(position, inputs, outputs, taps)
        return PaddedConvolution(convolution, self._architecture.pad_mode, activated=activated)

    def _lstm(self, width: int) -> StreamingLayer:
        tensors = self._weights.take_lstm(self._position(activated=False), width, self._architecture.lstm_layers)
        if can_pack(tensors["weight_hh_l0"]):
            return PackedLstm([self._cell(tensors, layer) for layer in range(self._architecture.lstm_layers)])
        return Lstm(tensors, self._architecture.lstm_layers)

    def _cell(self, tensors: Mapping[str, Tensor], layer: int) -> Cell:
        native = self._weights.native
        if native and NativeCell.fits(tensors["weight_hh_l0"].shape[1]):
            return NativeCell(native, tensors, layer)
        return PackedCell(tensors, layer, self._weights.dtype)

    def _upsampling(self, width: int, ratio: int) -> StreamingLayer:
        position = self._position(activated=True)
        weight = self._weights.take_weight(position, width, width // 2, 2 * ratio)
        bias = self._weights.take(f"{position}.bias", width // 2)
        return Upsampling(self._prepare(*as_convolution(weight, bias, ratio)), ratio)

    def _residual(self, width: int, dilation: int) -> StreamingLayer:
        shape = self._architecture
        position = self._position(activated=False)
        hidden = width // shape.compress
        wide = self._convolution(f"{position}.block.1", width, hidden, shape.residual_kernel_size, dilation)
        pointwise = self._convolution(f"{position}.block.3", hidden, width, 1)
        shortcut = self._convolution(f"{position}.shortcut", width, width, 1) if shape.convolutional_shortcut else None
        if isinstance(wide, NativeConvolution) and isinstance(pointwise, NativeConvolution) and not shortcut:
            return NativeResidualUnit(wide, pointwise, shape.pad_mode)
        return ResidualUnit(wide, pointwise, shortcut, shape.pad_mode)

    def _convolution(self, layer: str, inputs: int, outputs: int, taps: int, dilation: int = 1) -> StreamConvolution:
        weight = self._weights.take_weight(layer, outputs, inputs, taps)
        return self._prepare(weight, self._weights.take(f"{layer}.bias", outputs), dilation)

    def _prepare(self, weight: Tensor, bias: Tensor, dilation: int = 1) -> StreamConvolution:
        if self._weights.native:
            return NativeConvolution(self._weights.native, weight, bias, dilation)
        if len(bias) <= NARROW and dilation == 1:
            return NarrowConvolution(weight, bias)
        return Convolution(weight, bias, dilation, self._weights.dtype)
