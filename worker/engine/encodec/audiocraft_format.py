"""EnCodec in audiocraft's format: the training configuration as YAML, and a state dict."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from worker.engine.codec_interface import UnsupportedCodecError
from worker.engine.encodec.architecture import Architecture, Count, Size
from worker.engine.encodec.input_buffer import PadMode
from worker.engine.encodec.weights import Names

NAMES = Names("encoder.model.", "decoder.model.", "quantizer.vq.layers.", "._codebook.embed")


class _Encodec(msgspec.Struct):
    autoencoder: Literal["seanet"]
    quantizer: Literal["rvq"]
    sample_rate: Size
    channels: Size
    causal: bool = False
    renormalize: bool = False


class _Seanet(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments and defaults of audiocraft's `SEANetEncoder` and `SEANetDecoder`."""

    dimension: Size = 128
    channels: Size = 1
    n_filters: Size = 32
    n_residual_layers: Count = 3
    ratios: tuple[Size, ...] = (8, 5, 4, 2)
    activation: Literal["ELU"] = "ELU"
    activation_params: dict[str, float] = msgspec.field(default_factory=lambda: {"alpha": 1.0})
    final_activation: None = None
    final_activation_params: Any = None
    norm: Literal["none", "weight_norm"] = "none"
    norm_params: Any = None
    kernel_size: Size = 7
    last_kernel_size: Size = 7
    residual_kernel_size: Size = 3
    dilation_base: Size = 2
    causal: bool = False
    pad_mode: PadMode = "reflect"
    true_skip: bool = True
    compress: Size = 2
    lstm: Count = 0
    disable_norm_outer_blocks: Count = 0
    trim_right_ratio: float = 1.0


class _Rvq(msgspec.Struct):
    n_q: Size = 8
    bins: Size = 1024


class _Configuration(msgspec.Struct):
    compression_model: Literal["encodec"]
    encodec: _Encodec
    seanet: _Seanet
    rvq: _Rvq


def read_architecture(text: str, part: Literal["encoder", "decoder"] = "decoder") -> Architecture:
    """Read the architecture of the encoder or the decoder from a checkpoint's `xp.cfg`.

    Raises:
        UnsupportedCodecError: if it needs a feature that this code does not support.
    """
    try:
        configuration = msgspec.convert(_sections(text, part), _Configuration)
    except (OmegaConfBaseException, msgspec.ValidationError) as error:
        raise UnsupportedCodecError(f"The codec's xp.cfg describes no known EnCodec: {error}") from error
    _check(configuration)
    encodec, seanet, rvq = configuration.encodec, configuration.seanet, configuration.rvq
    return Architecture(
        sample_rate=encodec.sample_rate,
        channels=encodec.channels,
        dimension=seanet.dimension,
        filters=seanet.n_filters,
        ratios=seanet.ratios,
        residual_layers=seanet.n_residual_layers,
        kernel_size=seanet.kernel_size,
        last_kernel_size=seanet.last_kernel_size,
        residual_kernel_size=seanet.residual_kernel_size,
        dilation_base=seanet.dilation_base,
        compress=seanet.compress,
        convolutional_shortcut=not seanet.true_skip,
        lstm_layers=seanet.lstm,
        pad_mode=seanet.pad_mode,
        codebooks=rvq.n_q,
        codebook_size=rvq.bins,
    )


def _sections(text: str, part: str) -> dict[str, Any]:
    """Resolve only these sections; others may refer to things that exist only where the model was trained."""
    whole = OmegaConf.create(text)
    sections = {name: _resolved(whole, name) for name in ("compression_model", "encodec", "seanet", "rvq")}
    seanet = sections["seanet"]
    if isinstance(seanet, dict):
        # In audiocraft, encoder and decoder can override the shared settings.
        overrides = {name: seanet.pop(name, None) or {} for name in ("encoder", "decoder")}
        seanet.update(overrides[part])
    return sections


def _resolved(whole: Any, name: str) -> Any:
    section = whole.get(name)
    return OmegaConf.to_container(section, resolve=True) if OmegaConf.is_config(section) else section


def _check(configuration: _Configuration) -> None:
    encodec, seanet = configuration.encodec, configuration.seanet
    unknown: Mapping[str, bool] = {
        "causal": encodec.causal or seanet.causal,
        "renormalize": encodec.renormalize,
        "activation_params": seanet.activation_params not in ({}, {"alpha": 1.0}),
        "trim_right_ratio": seanet.trim_right_ratio != 1.0,
        "channels": encodec.channels != seanet.channels,
    }
    for name, is_unknown in unknown.items():
        if is_unknown:
            raise UnsupportedCodecError(f"The codec's xp.cfg has an unknown setting of {name}.")
