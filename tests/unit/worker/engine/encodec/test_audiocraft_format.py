"""Unsupported codecs are rejected, so that the reference engine can take over."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from tests.unit.worker.engine.encodec.checkpoints import (
    CODEBOOK_SIZE,
    CODEBOOKS,
    Reference,
    configuration,
    draw_codes,
    save,
    write_checkpoint,
)
from tests.unit.worker.engine.encodec.pieces import TOLERANCE, decode
from worker.engine.codec_interface import UnsupportedCodecError
from worker.engine.loading.codecs import load_codec

CPU = torch.device("cpu")


def test_codec_describes_itself(reference: Reference) -> None:
    codec = load_codec(str(reference.folder), CPU, stereo=False)
    assert (codec.sample_rate, codec.samples_per_frame, codec.frame_rate) == (16_000, 40, 400)
    assert (codec.codebooks, codec.codebook_size, codec.channels) == (CODEBOOKS, CODEBOOK_SIZE, 1)


def test_stereo_doubles_codebooks_and_channels(reference: Reference) -> None:
    codec = load_codec(reference.folder, CPU, stereo=True)
    assert (codec.codebooks, codec.channels) == (2 * CODEBOOKS, 2)


def test_checkpoint_can_refer_to_another_checkpoint(tmp_path: Path, reference: Reference) -> None:
    save(tmp_path, {"pretrained": str(reference.folder)})
    codes = draw_codes(5)
    audio = decode(load_codec(tmp_path, CPU, stereo=False), codes)
    torch.testing.assert_close(audio, reference.decode(codes), rtol=0, atol=TOLERANCE)


def test_decoder_settings_override_shared_ones(tmp_path: Path) -> None:
    made = write_checkpoint(tmp_path, configuration(decoder={"pad_mode": "reflect", "lstm": 1}))
    codes = draw_codes(5)
    audio = decode(load_codec(tmp_path, CPU, stereo=False), codes)
    torch.testing.assert_close(audio, made.decode(codes), rtol=0, atol=TOLERANCE)


def test_unresolvable_training_settings_are_ignored(tmp_path: Path, reference: Reference) -> None:
    package = torch.load(reference.folder / "compression_state_dict.bin", weights_only=True)
    save(tmp_path, {**package, "xp.cfg": package["xp.cfg"] + "\ndataset: {train: '${oc.env:NOWHERE}'}\n"})
    assert load_codec(tmp_path, CPU, stereo=False).codebook_size == CODEBOOK_SIZE


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("compression_model", "dac", "compression_model"),
        ("encodec.autoencoder", "other", "autoencoder"),
        ("encodec.quantizer", "no_quant", "quantizer"),
        ("encodec.causal", True, "causal"),
        ("encodec.renormalize", True, "renormalize"),
        ("encodec.sample_rate", "${nowhere}", "nowhere"),
        ("seanet.causal", True, "causal"),
        ("seanet.norm", "time_group_norm", "norm"),
        ("seanet.norm", "spectral_norm", "norm"),
        ("seanet.activation", "ReLU", "activation"),
        ("seanet.activation_params", {"alpha": 0.5}, "activation_params"),
        ("seanet.pad_mode", "replicate", "pad_mode"),
        ("seanet.decoder.final_activation", "Tanh", "final_activation"),
        ("seanet.decoder.trim_right_ratio", 0.5, "trim_right_ratio"),
        ("seanet.groups", 2, "groups"),
        ("seanet.channels", 2, "channels"),
    ],
)
def test_unsupported_setting_is_rejected_by_name(
    tmp_path: Path, reference: Reference, path: str, value: object, reason: str
) -> None:
    settings = configuration()
    OmegaConf.update(settings, path, value)
    assert_rejected(tmp_path, reference, {"xp.cfg": OmegaConf.to_yaml(settings)}, reason)


def test_weights_of_another_shape_are_rejected(tmp_path: Path, reference: Reference) -> None:
    yaml = OmegaConf.to_yaml(configuration(n_filters=8))
    assert_rejected(tmp_path, reference, {"xp.cfg": yaml}, "shape")


def test_missing_weights_are_rejected(tmp_path: Path, reference: Reference) -> None:
    yaml = OmegaConf.to_yaml(configuration(true_skip=False))
    assert_rejected(tmp_path, reference, {"xp.cfg": yaml}, "lack 4.shortcut.weight")


def test_unexpected_weights_are_rejected(tmp_path: Path, reference: Reference) -> None:
    state = {**reference.model.state_dict(), "decoder.model.9.extra": torch.zeros(1)}
    assert_rejected(tmp_path, reference, {"best_state": state}, "unknown tensor 9.extra")


def test_quantized_weights_are_rejected(tmp_path: Path, reference: Reference) -> None:
    state = {**reference.model.state_dict()}
    state["decoder.model.0.conv.conv.bias"] = state["decoder.model.0.conv.conv.bias"].to(torch.int8)
    assert_rejected(tmp_path, reference, {"best_state": state}, "int8")


@pytest.mark.parametrize("key", ["xp.cfg", "best_state"])
def test_file_without_a_required_key_is_rejected(tmp_path: Path, reference: Reference, key: str) -> None:
    package = torch.load(reference.folder / "compression_state_dict.bin", weights_only=True)
    del package[key]
    save(tmp_path, package)
    with pytest.raises(UnsupportedCodecError, match=key):
        load_codec(tmp_path, CPU, stereo=False)


def test_stereo_from_a_stereo_codec_is_rejected(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, configuration(channels=2))
    with pytest.raises(UnsupportedCodecError, match="2 channels"):
        load_codec(tmp_path, CPU, stereo=True)


def assert_rejected(folder: Path, reference: Reference, changes: dict[str, Any], reason: str) -> None:
    package = torch.load(reference.folder / "compression_state_dict.bin", weights_only=True)
    save(folder, {**package, **changes})
    with pytest.raises(UnsupportedCodecError, match=reason) as caught:
        load_codec(folder, CPU, stereo=False)
    assert reason in str(caught.value)
