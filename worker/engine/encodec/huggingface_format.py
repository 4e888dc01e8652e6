"""EnCodec in transformers' format. Meta's MusicGen checkpoints refer to such a codec."""

import math
from pathlib import Path
from typing import Any, Literal

import msgspec

from worker.engine.codec_interface import UnsupportedCodecError
from worker.engine.encodec.architecture import Architecture, Count, Size
from worker.engine.encodec.input_buffer import PadMode
from worker.engine.encodec.weights import Names

CONFIGURATION_FILE = "config.json"

NAMES = Names("encoder.layers.", "decoder.layers.", "quantizer.layers.", ".codebook.embed")


class _Configuration(msgspec.Struct):
    """The fields that encoding and decoding need, with the names and defaults of transformers' `EncodecConfig`."""

    model_type: Literal["encodec"]
    target_bandwidths: tuple[float, ...] = (1.5, 3.0, 6.0, 12.0, 24.0)
    sampling_rate: Size = 24_000
    audio_channels: Size = 1
    normalize: bool = False
    chunk_length_s: None = None
    hidden_size: Size = 128
    num_filters: Size = 32
    num_residual_layers: Count = 1
    upsampling_ratios: tuple[Size, ...] = (8, 5, 4, 2)
    norm_type: Literal["weight_norm"] = "weight_norm"
    kernel_size: Size = 7
    last_kernel_size: Size = 7
    residual_kernel_size: Size = 3
    dilation_growth_rate: Size = 2
    use_causal_conv: bool = True
    pad_mode: PadMode = "reflect"
    compress: Size = 2
    num_lstm_layers: Size = 2
    trim_right_ratio: float = 1.0
    codebook_size: Size = 1024
    codebook_dim: int | None = None
    use_conv_shortcut: bool = True
    # Quantized weights are not supported.
    quantization_config: None = None


def read_architecture(file: Path) -> Architecture:
    """Read the architecture from a config.json.

    Raises:
        UnsupportedCodecError: if it needs a feature that this code does not support.
        OSError: if the file cannot be read.
    """
    try:
        configuration = msgspec.json.decode(file.read_bytes(), type=_Configuration)
    except msgspec.DecodeError as error:
        raise UnsupportedCodecError(f"{file} describes no known EnCodec: {error}") from error
    _check(configuration, file)
    return Architecture(
        sample_rate=configuration.sampling_rate,
        channels=configuration.audio_channels,
        dimension=configuration.hidden_size,
        filters=configuration.num_filters,
        ratios=configuration.upsampling_ratios,
        residual_layers=configuration.num_residual_layers,
        kernel_size=configuration.kernel_size,
        last_kernel_size=configuration.last_kernel_size,
        residual_kernel_size=configuration.residual_kernel_size,
        dilation_base=configuration.dilation_growth_rate,
        compress=configuration.compress,
        convolutional_shortcut=configuration.use_conv_shortcut,
        lstm_layers=configuration.num_lstm_layers,
        pad_mode=configuration.pad_mode,
        codebooks=_codebooks(configuration),
        codebook_size=configuration.codebook_size,
    )


def _codebooks(configuration: _Configuration) -> int:
    """As many as the highest bandwidth (kbit/s) allows, as in audiocraft's `HFEncodecCompressionModel`."""
    frame_rate = configuration.sampling_rate / math.prod(configuration.upsampling_ratios)
    return int(max(configuration.target_bandwidths) * 1000 / (frame_rate * math.log2(configuration.codebook_size)))


def _check(configuration: _Configuration, file: Path) -> None:
    unknown: dict[str, Any] = {
        "use_causal_conv": configuration.use_causal_conv,
        "normalize": configuration.normalize,
        "codebook_dim": configuration.codebook_dim not in (None, configuration.hidden_size),
        "trim_right_ratio": configuration.trim_right_ratio != 1.0,
    }
    for name, is_unknown in unknown.items():
        if is_unknown:
            raise UnsupportedCodecError(f"{file} has an unknown setting of {name}.")
