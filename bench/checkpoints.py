"""Writes checkpoints of MusicGen's real sizes with random weights, which are as fast as trained ones.

`uv run python -m bench.checkpoints small FOLDER` writes one, in audiocraft's format.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from bench.sizes import CODEBOOKS, SIZES, Size, language_model_weights
from worker.engine.loading.checkpoints import CODEC_FILE, LANGUAGE_MODEL_FILE

SEED = 20240102
ENCODEC = {"n_filters": 64, "dimension": 128, "lstm": 2}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one."""
    parser = argparse.ArgumentParser(prog="python -m bench.checkpoints", description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    write_checkpoint(options.folder, SIZES[options.size])


def write_checkpoint(folder: Path, size: Size, device: str = "cpu") -> None:
    """Write a checkpoint of this size in float16, as Meta's are, with the text encoder of `bench.tiny`.

    A GPU makes the numbers of a large one in a second, a CPU in a minute; they differ.

    Raises:
        OSError: if it cannot be written.
    """
    from bench import tiny  # takes seconds to import

    tiny.write_tiny(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        _write_language_model(folder / LANGUAGE_MODEL_FILE, size, device)
        _write_codec(folder / CODEC_FILE, size)


def _write_language_model(file: Path, size: Size, device: str) -> None:
    configuration, state = _read(file)
    configuration.transformer_lm.update(
        dim=size.dim, num_layers=size.layers, num_heads=size.heads, n_q=CODEBOOKS, card=size.card
    )
    output = "condition_provider.conditioners.description.output_proj.weight"
    with torch.device(device):
        made = language_model_weights(size, text_dim=state[output].shape[1])
        weights = {name: weight.cpu() for name, weight in made}
    torch.save({"xp.cfg": OmegaConf.to_yaml(configuration), "best_state": weights}, file)


def _write_codec(file: Path, size: Size) -> None:
    """Write EnCodec for 32 kHz with four codebooks, encoder and decoder."""
    from audiocraft.models import builders  # takes seconds to import

    configuration, _ = _read(file)
    configuration.seanet.update(ENCODEC)
    configuration.rvq.update(n_q=CODEBOOKS, bins=size.card)
    codec = builders.get_compression_model(configuration)
    torch.save({"xp.cfg": OmegaConf.to_yaml(configuration), "best_state": codec.state_dict()}, file)


def _read(file: Path) -> tuple[DictConfig, dict[str, Any]]:
    package = torch.load(file, map_location="cpu", weights_only=True)
    configuration = OmegaConf.create(package["xp.cfg"])
    return configuration, package["best_state"]


if __name__ == "__main__":
    main()
