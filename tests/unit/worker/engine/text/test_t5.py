import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from tests.unit.worker.engine.text.conftest import write_t5
from worker.engine.text.configuration import UnsupportedTextEncoderError, read_configuration
from worker.engine.text.t5 import T5Encoder, position_bucket
from worker.engine.text.weights import CHECKPOINT_PREFIX, EncoderWeights, read_weights


def _load(folder: Path) -> T5Encoder:
    return T5Encoder(read_configuration(folder), EncoderWeights(read_weights(folder), "cpu"))


def _difference(folder: Path, model: Any, tokens: int) -> float:
    ids = torch.randint(0, model.config.vocab_size, (tokens,), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = model(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None]).last_hidden_state[0]
    result = _load(folder)(ids)
    assert result.shape == expected.shape
    assert result.dtype == torch.float32
    return float((result - expected).abs().max())


@pytest.mark.parametrize("tokens", [1, 2, 40, 300])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"feed_forward_proj": "gated-gelu"},
        {"num_heads": 1, "d_kv": 24},
        {"num_heads": 5, "d_kv": 7, "feed_forward_proj": "gated-gelu", "num_layers": 1},
        {"relative_attention_num_buckets": 16, "relative_attention_max_distance": 40},
        {"relative_attention_num_buckets": 7, "layer_norm_epsilon": 1e-2},
    ],
)
def test_equals_transformers(fields: dict[str, Any], tokens: int, tmp_path: Path) -> None:
    model = write_t5(tmp_path, **fields)
    assert _difference(tmp_path, model, tokens) < 1e-5


@pytest.mark.parametrize(("buckets", "max_distance"), [(32, 128), (16, 40), (4, 2), (7, 20), (64, 1000)])
def test_buckets_equal_those_of_transformers(buckets: int, max_distance: int) -> None:
    distance = torch.arange(-1200, 1201)
    expected = T5Attention._relative_position_bucket(distance, True, buckets, max_distance)
    assert torch.equal(position_bucket(distance, buckets, max_distance), expected)


def test_pickled_file_of_a_whole_t5_is_read(tmp_path: Path) -> None:
    encoder = write_t5(tmp_path)
    torch.manual_seed(4)
    whole = T5ForConditionalGeneration(T5Config(**encoder.config.to_dict() | {"is_encoder_decoder": True})).eval()
    (tmp_path / "model.safetensors").unlink()
    torch.save(whole.state_dict(), tmp_path / "pytorch_model.bin")
    assert _difference(tmp_path, whole.get_encoder(), 30) < 1e-5


def test_half_precision_weights_are_computed_in_float32(tmp_path: Path) -> None:
    model = write_t5(tmp_path).half()
    halved = {name: tensor.half() for name, tensor in load_file(tmp_path / "model.safetensors").items()}
    save_file(halved, tmp_path / "model.safetensors")
    assert _difference(tmp_path, model.float(), 30) < 1e-5


def test_fine_tuned_t5_inside_a_checkpoint_is_read(tmp_path: Path) -> None:
    model = write_t5(tmp_path)
    state = {CHECKPOINT_PREFIX + name: tensor for name, tensor in model.state_dict().items()}
    state["condition_provider.conditioners.description.output_proj.weight"] = torch.ones(3)
    inside = T5Encoder(read_configuration(tmp_path), EncoderWeights(state, "cpu"))
    ids = torch.arange(10)
    assert torch.equal(inside(ids), _load(tmp_path)(ids))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("model_type", "umt5", "umt5"),
        ("feed_forward_proj", "gated-silu", "gated-silu"),
        ("feed_forward_proj", "gelu", "gelu"),
        ("dense_act_fn", "gelu", "dense_act_fn"),
        ("is_gated_act", True, "is_gated_act"),
        ("quantization_config", {"bits": 8}, "quantization_config"),
        ("relative_attention_num_buckets", 2, "relative_attention_num_buckets"),
        ("relative_attention_max_distance", 8, "no room"),
        ("num_heads", 0, "num_heads"),
        ("d_model", None, "d_model"),
        ("d_model", 48, "instead of"),
        ("num_layers", 2, "unknown tensor encoder.block.2"),
        ("num_layers", 4, "lack encoder.block.3"),
    ],
)
def test_unsupported_configuration_is_rejected(field: str, value: Any, reason: str, tmp_path: Path) -> None:
    write_t5(tmp_path)
    configuration = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**configuration, field: value}))
    with pytest.raises(UnsupportedTextEncoderError, match=reason):
        _load(tmp_path)


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("encoder.block.0.layer.0.SelfAttention.q.bias", torch.zeros(24), "unknown tensor"),
        ("encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight", torch.zeros(32, 4), "unknown tensor"),
        ("encoder.final_layer_norm.weight", torch.ones(24, dtype=torch.int8), "int8"),
        ("encoder.embed_tokens.weight", torch.zeros(50, 24), "differ"),
    ],
)
def test_unexpected_weights_are_rejected(name: str, tensor: torch.Tensor, reason: str, tmp_path: Path) -> None:
    write_t5(tmp_path)
    save_file({**load_file(tmp_path / "model.safetensors"), name: tensor}, tmp_path / "model.safetensors")
    with pytest.raises(UnsupportedTextEncoderError, match=reason):
        _load(tmp_path)


@pytest.mark.parametrize(("missing", "reason"), [("config.json", "config.json"), ("model.safetensors", "neither")])
def test_missing_file_is_rejected(missing: str, reason: str, tmp_path: Path) -> None:
    write_t5(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(UnsupportedTextEncoderError, match=reason):
        _load(tmp_path)
