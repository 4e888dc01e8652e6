"""Which checkpoints the batching engine supports, and how it rejects others."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.worker.engine.batching.models import Tiny, write_checkpoint
from worker.engine.batching.checkpoint import read_checkpoint
from worker.engine.batching.config import MelodyConfig, UnsupportedModelError, parse_config


def test_configuration_is_parsed() -> None:
    config = parse_config(Tiny(dim=48, heads=3, layers=5, codebooks=8, codebook_size=17, stereo=True).yaml())
    assert (config.dim, config.heads, config.head_dim, config.layers, config.hidden) == (48, 3, 16, 5, 192)
    assert (config.codebooks, config.codebook_size, config.stereo, config.segment) == (8, 17, True, 30.0)
    assert config.delays == (0, 0, 1, 1, 2, 2, 3, 3)
    assert (config.fuses, config.melody) == ("cross", None)


def test_melody_model_has_a_prefix() -> None:
    config = parse_config(Tiny(melody=True).yaml())
    melody = MelodyConfig(chroma=12, length=235, argmax=True, sample_rate=32_000, window=2**14)
    assert (config.fuses, config.melody) == ("prepend", melody)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("transformer_lm.positional_embedding", "rope", "positional_embedding is rope"),
        ("transformer_lm.norm_first", False, "norm_first is False"),
        ("transformer_lm.bias_attn", True, "bias_attn is True"),
        ("transformer_lm.kv_repeat", 2, "kv_repeat is 2"),
        ("transformer_lm.layer_scale", 0.1, "layer_scale is 0.1"),
        ("codebooks_pattern.modeling", "parallel", "modeling is parallel"),
        ("fuser.prepend", ["description"], "fuser is"),
        ("fuser.cross_attention_pos_emb", True, "cross_attention_pos_emb is True"),
        ("conditioners.self_wav", {"model": "style"}, r"conditioned on description \(t5\), self_wav \(style\)"),
        ("conditioners.description.model", "clap", r"conditioned on description \(clap\)"),
        ("conditioners.description.t5.normalize_text", True, "text normalization is True"),
    ],
)
def test_unsupported_option_is_rejected_by_name(option: str, value: Any, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        parse_config(Tiny(options=((option, value),)).yaml())


def test_reading_a_checkpoint_does_not_execute_code(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, Tiny())
    checkpoint = read_checkpoint(str(tmp_path))
    assert checkpoint.config.dim == Tiny().dim
    torch.save({"xp.cfg": Tiny().yaml(), "best_state": Evil()}, tmp_path / "state_dict.bin")
    with pytest.raises(Exception, match="Weights only load failed"):
        read_checkpoint(str(tmp_path))


class Evil:
    """A pickle that executes code when loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit",))


def test_weights_with_another_layout_are_rejected(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, Tiny())
    package = torch.load(tmp_path / "state_dict.bin", weights_only=True)
    del package["best_state"]["out_norm.weight"]
    torch.save(package, tmp_path / "state_dict.bin")
    with pytest.raises(UnsupportedModelError, match=r"lack out_norm\.weight"):
        read_checkpoint(str(tmp_path))
