"""Build the layers of EnCodec's decoder from its weights."""

from itertools import count

from worker.engine.encodec.architecture import Architecture
from worker.engine.encodec.convolution import Convolution, NarrowConvolution
from worker.engine.encodec.layers import PaddedConvolution, ResidualUnit, StreamingLayer, Upsampling
from worker.engine.encodec.lstm import Lstm, PackedLstm
from worker.engine.encodec.packing import can_pack
from worker.engine.encodec.weights import DecoderWeights

# `NarrowConvolution` is faster up to this many output channels.
NARROW = 2


def build_layers(architecture: Architecture, weights: DecoderWeights) -> list[StreamingLayer]:
    """Build the layers from the codebooks' vectors to samples, in the order of audiocraft's `SEANetDecoder`.

    Raises:
        UnsupportedCodecError: if the weights do not match the architecture.
    """
    return _Builder(architecture, weights).build()


class _Builder:
    """Counts the positions of layers in the module lists of audiocraft and transformers."""

    def __init__(self, architecture: Architecture, weights: DecoderWeights) -> None:
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
        weight = self._weights.take_weight(position, outputs, inputs, taps)
        bias = self._weights.take(f"{position}.bias", outputs)
        narrow = outputs <= NARROW
        convolution = (
            NarrowConvolution(weight, bias) if narrow else Convolution(weight, bias, dtype=self._weights.dtype)
        )
        return PaddedConvolution(convolution, self._architecture.pad_mode, activated=activated)

    def _lstm(self, width: int) -> StreamingLayer:
        position = self._position(activated=False)
        tensors = {}
        for layer in range(self._architecture.lstm_layers):
            for name in (f"{kind}_{side}_l{layer}" for kind in ("weight", "bias") for side in ("ih", "hh")):
                shape = (4 * width, width) if name.startswith("weight") else (4 * width,)
                tensors[name] = self._weights.take(f"{position}.{name}", *shape)
        if can_pack(tensors["weight_hh_l0"]):
            return PackedLstm(tensors, self._architecture.lstm_layers, self._weights.dtype)
        return Lstm(tensors, self._architecture.lstm_layers)

    def _upsampling(self, width: int, ratio: int) -> StreamingLayer:
        position = self._position(activated=True)
        weight = self._weights.take_weight(position, width, width // 2, 2 * ratio)
        return Upsampling(weight, self._weights.take(f"{position}.bias", width // 2), ratio, self._weights.dtype)

    def _residual(self, width: int, dilation: int) -> StreamingLayer:
        shape = self._architecture
        position = self._position(activated=False)
        hidden = width // shape.compress
        return ResidualUnit(
            self._convolution(f"{position}.block.1", width, hidden, shape.residual_kernel_size, dilation),
            self._convolution(f"{position}.block.3", hidden, width, 1),
            self._convolution(f"{position}.shortcut", width, width, 1) if shape.convolutional_shortcut else None,
            shape.pad_mode,
        )

    def _convolution(self, layer: str, inputs: int, outputs: int, taps: int, dilation: int = 1) -> Convolution:
        weight = self._weights.take_weight(layer, outputs, inputs, taps)
        return Convolution(weight, self._weights.take(f"{layer}.bias", outputs), dilation, self._weights.dtype)
