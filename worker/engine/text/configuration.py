"""The configuration of a T5 encoder, from its config.json."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from worker.engine.interface import UnsupportedCheckpointError


class UnsupportedTextEncoderError(UnsupportedCheckpointError):
    """The text encoder has a feature that this code does not support; the reference engine may."""


Size = Annotated[int, msgspec.Meta(gt=0)]

# transformers derives these from feed_forward_proj, unless the file sets them.
_ACTIVATIONS = {"relu": "relu", "gated-gelu": "gelu_new"}


class T5Configuration(msgspec.Struct, frozen=True):
    """The fields of config.json that the encoder needs, with the names and defaults of transformers' `T5Config`.

    Fields about the decoder, training or generation are ignored.
    """

    model_type: Literal["t5"]
    vocab_size: Size
    d_model: Size
    d_kv: Size
    d_ff: Size
    num_layers: Size
    num_heads: Size
    relative_attention_num_buckets: Annotated[int, msgspec.Meta(ge=4)] = 32
    relative_attention_max_distance: Size = 128
    layer_norm_epsilon: float = 1e-6
    feed_forward_proj: Literal["relu", "gated-gelu"] = "relu"
    dense_act_fn: str | None = None
    is_gated_act: bool | None = None
    # Quantized weights are not supported.
    quantization_config: None = None

    @property
    def gated(self) -> bool:
        """Whether the feed-forward block is gated (T5 v1.1, flan-t5), unlike the original T5."""
        return self.feed_forward_proj == "gated-gelu"


def read_configuration(folder: Path) -> T5Configuration:
    """Read the configuration of the T5 in `folder`.

    Raises:
        UnsupportedTextEncoderError: if it is missing or needs a feature that this code does not support.
        OSError: if the file cannot be read.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise UnsupportedTextEncoderError(f"{folder} has no config.json.")
    try:
        configuration = msgspec.json.decode(file.read_bytes(), type=T5Configuration)
    except msgspec.DecodeError as error:
        raise UnsupportedTextEncoderError(f"{file} is not the configuration of a supported T5: {error}") from error
    _check_activation(configuration, file)
    if configuration.relative_attention_max_distance <= configuration.relative_attention_num_buckets // 4:
        raise UnsupportedTextEncoderError(f"{file}: relative_attention_max_distance leaves no room for far buckets.")
    return configuration


def _check_activation(configuration: T5Configuration, file: Path) -> None:
    expected = _ACTIVATIONS[configuration.feed_forward_proj]
    if configuration.dense_act_fn not in (None, expected):
        raise UnsupportedTextEncoderError(f"{file}: dense_act_fn is {configuration.dense_act_fn}, not {expected}.")
    if configuration.is_gated_act not in (None, configuration.gated):
        raise UnsupportedTextEncoderError(f"{file}: is_gated_act contradicts feed_forward_proj.")
