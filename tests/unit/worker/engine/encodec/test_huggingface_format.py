"""EnCodec in transformers' format, to which Meta's checkpoints refer."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import EncodecConfig, EncodecModel

from tests.unit.worker.engine.encodec.checkpoints import excite, save
from tests.unit.worker.engine.encodec.pieces import TOLERANCE, decode
from worker.engine.codec_interface import UnsupportedCodecError
from worker.engine.loading.codecs import load_codec

CPU = torch.device("cpu")
CODEBOOK_SIZE = 2048

# facebook/encodec_32khz, with fewer filters.
SETTINGS: dict[str, Any] = {
    "sampling_rate": 32_000,
    "audio_channels": 1,
    "upsampling_ratios": [8, 5, 4, 4],
    "num_filters": 4,
    "num_lstm_layers": 2,
    "hidden_size": 128,
    "codebook_size": CODEBOOK_SIZE,
    "norm_type": "weight_norm",
    "use_causal_conv": False,
    "pad_mode": "reflect",
    "use_conv_shortcut": False,
    "normalize": False,
    "kernel_size": 7,
    "last_kernel_size": 7,
    "residual_kernel_size": 3,
    "num_residual_layers": 1,
    "dilation_growth_rate": 2,
    "compress": 2,
    "trim_right_ratio": 1.0,
    "chunk_length_s": None,
    "target_bandwidths": [2.2],
}


@pytest.fixture(scope="session")
def model() -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = EncodecModel(EncodecConfig(**SETTINGS)).eval()
        excite(made)
    return made


@pytest.fixture
def folder(tmp_path: Path, model: Any) -> Path:
    """A checkpoint that refers to the codec in another folder."""
    model.save_pretrained(tmp_path / "encodec")
    save(tmp_path / "musicgen", {"pretrained": str(tmp_path / "encodec"), "exported": True, "version": "1.3.0"})
    return tmp_path / "musicgen"


def test_codec_describes_itself_like_metas(folder: Path) -> None:
    codec = load_codec(folder, CPU, stereo=False)
    assert (codec.sample_rate, codec.samples_per_frame, codec.frame_rate) == (32_000, 640, 50)
    assert (codec.codebooks, codec.codebook_size, codec.channels, codec.lookahead) == (4, CODEBOOK_SIZE, 1, 4)


@pytest.mark.parametrize("chunks", [[], [1] * 20, [2, 0, 13]])
def test_decodes_like_transformers(folder: Path, model: Any, chunks: list[int]) -> None:
    assert_decodes_as(model, folder, chunks)


def test_older_weight_norm_names_are_supported(folder: Path, model: Any) -> None:
    encodec = folder.parent / "encodec"
    (encodec / "model.safetensors").unlink()
    newer, older = "parametrizations.weight.original", ("weight_g", "weight_v")
    tensors = {
        name.replace(f"{newer}0", older[0]).replace(f"{newer}1", older[1]): tensor
        for name, tensor in model.state_dict().items()
    }
    assert tensors.keys() != model.state_dict().keys()
    torch.save(tensors, encodec / "pytorch_model.bin")
    assert_decodes_as(model, folder, [])


def assert_decodes_as(model: Any, folder: Path, chunks: list[int]) -> None:
    codes = torch.randint(0, CODEBOOK_SIZE, (4, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model.decode(codes[None, None], [None])[0][0]
    audio = decode(load_codec(folder, CPU, stereo=False), codes, chunks)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(audio, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("norm_type", "time_group_norm"),
        ("use_causal_conv", True),
        ("normalize", True),
        ("chunk_length_s", 1.0),
        ("codebook_dim", 64),
        ("trim_right_ratio", 0.5),
        ("pad_mode", "replicate"),
        ("model_type", "dac"),
        ("quantization_config", {"load_in_8bit": True}),
    ],
)
def test_unsupported_setting_is_rejected_by_name(folder: Path, setting: str, value: object) -> None:
    file = folder.parent / "encodec" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), setting: value}))
    with pytest.raises(UnsupportedCodecError, match=setting):
        load_codec(folder, CPU, stereo=False)


@pytest.mark.parametrize("name", ["dac_44khz", "debug_compression_model"])
def test_other_pretrained_codecs_are_rejected(tmp_path: Path, name: str) -> None:
    save(tmp_path, {"pretrained": name})
    with pytest.raises(UnsupportedCodecError, match=name):
        load_codec(tmp_path, CPU, stereo=False)
