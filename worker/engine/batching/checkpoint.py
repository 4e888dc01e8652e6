"""Read the language model of a MusicGen checkpoint without executing code from it."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from worker.engine.batching.config import MELODY, LanguageModelConfig, UnsupportedModelError, parse_config
from worker.engine.loading.checkpoints import LANGUAGE_MODEL_FILE, fetch_file


@dataclass(frozen=True)
class Checkpoint:
    """Configuration and weights as stored. `reference` is a folder, or a repository on the hub."""

    reference: str
    config: LanguageModelConfig
    weights: dict[str, Tensor]

    def text_encoder(self) -> str:
        """The folder of the text encoder if the checkpoint contains it, else its name on the hub."""
        included = Path(self.reference) / self.config.text_encoder
        return str(included) if included.is_dir() else self.config.text_encoder


def read_checkpoint(reference: str) -> Checkpoint:
    """Read a checkpoint in audiocraft's format (`xp.cfg`, `best_state`).

    Raises:
        UnsupportedModelError: if this engine does not support its configuration.
        OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError: if it cannot be found or read.
    """
    package = torch.load(fetch_file(reference, LANGUAGE_MODEL_FILE), map_location="cpu", weights_only=True, mmap=True)
    config = parse_config(package["xp.cfg"])
    weights = package["best_state"]
    missing = [name for name in _expected(config) if name not in weights]
    if missing:
        raise UnsupportedModelError(f"its weights lack {missing[0]}")
    return Checkpoint(reference, config, weights)


def _expected(config: LanguageModelConfig) -> list[str]:
    """One tensor name of each kind, enough to detect another layout."""
    layer = f"transformer.layers.{config.layers - 1}"
    names = [
        f"emb.{config.codebooks - 1}.weight",
        f"linears.{config.codebooks - 1}.weight",
        "out_norm.weight",
        f"{layer}.self_attn.in_proj_weight",
        f"{layer}.linear2.weight",
        "condition_provider.conditioners.description.output_proj.weight",
    ]
    if config.fuses == "cross":
        names.append(f"{layer}.cross_attention.in_proj_weight")
    if config.melody is not None:
        names.append(f"condition_provider.conditioners.{MELODY}.output_proj.weight")
    return names
