"""EnCodec's encoder: SEANet's, then residual vector quantisation.

It runs once per request, so it is written for equality with audiocraft rather than for speed: codes are the nearest
vectors, and a different rounding of a sum would now and then make another vector the nearest.
"""

import threading
from collections.abc import Callable, Sequence
from itertools import count

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.encodec.architecture import Architecture
from worker.engine.encodec.input_buffer import PadMode
from worker.engine.encodec.lstm import Lstm
from worker.engine.encodec.weights import NetworkWeights

# [batch, channels, time] → the same, with other channels and times.
Layer = Callable[[Tensor], Tensor]


class AudioEncoder:
    """Encodes audio to codes, one piece at a time: a minute of mono in float32 needs a gigabyte of memory."""

    def __init__(self, layers: Sequence[Layer], codebooks: Sequence[Tensor], runs: int) -> None:
        """Take the parts.

        Args:
            layers: from samples to the codebooks' vectors.
            codebooks: the vectors of each, float32 of shape [codebook_size, dimension].
            runs: 2 if left and right are encoded one after the other by a mono encoder, else 1.
        """
        self._layers = layers
        self._codebooks = codebooks
        self._runs = runs
        self._lock = threading.Lock()

    @torch.inference_mode()
    def encode(self, audio: Tensor) -> Tensor:
        """The codes of float32 audio [channels, samples]: int64 of shape [codebooks, frames].

        Samples that do not fill the last frame count as one. Stereo codebooks alternate as in `Codebooks.dequantise`.
        """
        with self._lock:
            codes = torch.stack([self._encode(run[None]) for run in audio.chunk(self._runs)], 1)
        return codes.flatten(0, 1)

    def _encode(self, x: Tensor) -> Tensor:
        """[1, channels, samples] → [codebooks, frames]."""
        for layer in self._layers:
            x = layer(x)
        return quantise(x[0].T, self._codebooks)


def quantise(vectors: Tensor, codebooks: Sequence[Tensor]) -> Tensor:
    """The codes of vectors [frames, dimension]: int64 of shape [codebooks, frames].

    Algorithm 1 of Zeghidour et al., 2021 (https://arxiv.org/abs/2107.03312), with the sums in audiocraft's order.
    """
    found = []
    for entries in codebooks:
        squares = vectors.pow(2).sum(1, keepdim=True) - 2 * vectors @ entries.T + entries.T.pow(2).sum(0, keepdim=True)
        nearest = squares.neg().max(-1).indices
        vectors = vectors - functional.embedding(nearest, entries)
        found.append(nearest)
    return torch.stack(found)


class _Convolution:
    """audiocraft's `StreamableConv1d`, not causal. The input is padded so that every sample is in an output."""

    def __init__(self, weight: Tensor, bias: Tensor, mode: PadMode, stride: int = 1, dilation: int = 1) -> None:
        self._weight, self._bias, self._mode = weight, bias, mode
        self._stride, self._dilation = stride, dilation
        self._padding = (weight.shape[2] - 1) * dilation + 1 - stride

    def __call__(self, x: Tensor) -> Tensor:
        after = self._padding // 2
        missing = -(x.shape[2]) % self._stride
        padded = _pad(x, self._padding - after, after + missing, self._mode)
        return functional.conv1d(padded, self._weight, self._bias, self._stride, dilation=self._dilation)


def _pad(x: Tensor, before: int, after: int, mode: PadMode) -> Tensor:
    """Audiocraft's `pad1d`: an input too short to be mirrored is first extended with zeros."""
    lacking = max(max(before, after) + 1 - x.shape[2], 0) if mode == "reflect" else 0
    padded = functional.pad(functional.pad(x, (0, lacking)), (before, after), mode)
    return padded[..., : padded.shape[2] - lacking]


class _Residual:
    """audiocraft's `SEANetResnetBlock`."""

    def __init__(self, wide: Layer, pointwise: Layer, shortcut: Layer | None) -> None:
        self._wide, self._pointwise, self._shortcut = wide, pointwise, shortcut

    def __call__(self, x: Tensor) -> Tensor:
        inner = functional.elu_(self._wide(functional.elu(x)))
        return (x if self._shortcut is None else self._shortcut(x)) + self._pointwise(inner)


def build_encoder(
    architecture: Architecture, weights: NetworkWeights, codebooks: Sequence[Tensor], runs: int
) -> AudioEncoder:
    """Build an encoder with the layers of audiocraft's `SEANetEncoder`, in its order.

    Raises:
        UnsupportedCodecError: if the weights do not match the architecture.
    """
    return AudioEncoder(_EncoderBuilder(architecture, weights).build(), codebooks, runs)


class _EncoderBuilder:
    """Counts the positions of layers in the module lists of audiocraft and transformers; an ELU takes one, too."""

    def __init__(self, architecture: Architecture, weights: NetworkWeights) -> None:
        self._architecture = architecture
        self._weights = weights
        self._positions = count()

    def build(self) -> list[Layer]:
        shape, width = self._architecture, self._architecture.filters
        layers: list[Layer] = [self._convolution(self._next(), shape.channels, width, shape.kernel_size)]
        for ratio in reversed(shape.ratios):
            layers += [self._residual(width, shape.dilation_base**power) for power in range(shape.residual_layers)]
            layers += [self._elu(), self._convolution(self._next(), width, 2 * width, 2 * ratio, stride=ratio)]
            width *= 2
        if shape.lstm_layers:
            layers.append(self._lstm(width))
        layers += [self._elu(), self._convolution(self._next(), width, shape.dimension, shape.last_kernel_size)]
        self._weights.check_nothing_left()
        return layers

    def _next(self) -> str:
        return str(next(self._positions))

    def _elu(self) -> Layer:
        self._next()
        return functional.elu_

    def _convolution(
        self, layer: str, inputs: int, outputs: int, taps: int, *, stride: int = 1, dilation: int = 1
    ) -> Layer:
        weight = self._weights.take_weight(layer, outputs, inputs, taps)
        bias = self._weights.take(f"{layer}.bias", outputs)
        return _Convolution(weight, bias, self._architecture.pad_mode, stride, dilation)

    def _residual(self, width: int, dilation: int) -> Layer:
        shape, position = self._architecture, self._next()
        hidden = width // shape.compress
        wide = self._convolution(f"{position}.block.1", width, hidden, shape.residual_kernel_size, dilation=dilation)
        pointwise = self._convolution(f"{position}.block.3", hidden, width, 1)
        shortcut = self._convolution(f"{position}.shortcut", width, width, 1) if shape.convolutional_shortcut else None
        return _Residual(wide, pointwise, shortcut)

    def _lstm(self, width: int) -> Layer:
        layers = self._architecture.lstm_layers
        lstm = Lstm(self._weights.take_lstm(self._next(), width, layers), layers)
        return lambda x: lstm.stream().push(x.mT, last=True).mT
