"""Writes checkpoints of MusicGen's real sizes with random weights, which are as fast as trained ones.

`uv run python -m bench.checkpoints small FOLDER` writes one, in audiocraft's format.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from worker.engine.loading.checkpoints import CODEC_FILE, LANGUAGE_MODEL_FILE

CODEBOOKS, CARD = 4, 2048
SEED = 20240102
# Scale of the weights that gives peaked distributions, as in a trained model.
GAIN = 2.0


class Size(NamedTuple):
    """The language model's dimensions."""

    dim: int
    layers: int
    heads: int


SIZES = {"small": Size(1024, 24, 16), "medium": Size(1536, 48, 24), "large": Size(2048, 48, 32)}
ENCODEC = {"n_filters": 64, "dimension": 128, "lstm": 2}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one."""
    parser = argparse.ArgumentParser(prog="python -m bench.checkpoints", description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    write_checkpoint(options.folder, SIZES[options.size])


def write_checkpoint(folder: Path, size: Size) -> None:
    """Write a checkpoint of this size in float16, as Meta's are, with the text encoder of `bench.tiny`.

    Raises:
        OSError: if it cannot be written.
    """
    from bench import tiny  # takes seconds to import

    tiny.write_tiny(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        _write_language_model(folder / LANGUAGE_MODEL_FILE, size)
        _write_codec(folder / CODEC_FILE)


def _write_language_model(file: Path, size: Size) -> None:
    configuration, state = _read(file)
    configuration.transformer_lm.update(
        dim=size.dim, num_layers=size.layers, num_heads=size.heads, n_q=CODEBOOKS, card=CARD
    )
    output = "condition_provider.conditioners.description.output_proj.weight"
    weights = dict(_weights(size, text_dim=state[output].shape[1]))
    torch.save({"xp.cfg": OmegaConf.to_yaml(configuration), "best_state": weights}, file)


def _weights(size: Size, text_dim: int) -> Iterator[tuple[str, Tensor]]:
    """The weights of audiocraft's `LMModel` of this size, by name."""
    output, dim = "condition_provider.conditioners.description.output_proj", size.dim
    yield f"{output}.weight", _random(dim, text_dim)
    yield f"{output}.bias", torch.zeros(dim)
    for book in range(CODEBOOKS):
        yield f"emb.{book}.weight", _random(CARD + 1, dim)
        yield f"linears.{book}.weight", _random(CARD, dim)
    for index in range(size.layers):
        yield from _layer(f"transformer.layers.{index}", dim)
    yield from _norm("out_norm", dim)


def _layer(name: str, dim: int) -> Iterator[tuple[str, Tensor]]:
    for attention in ("self_attn", "cross_attention"):
        yield f"{name}.{attention}.in_proj_weight", _random(3 * dim, dim)
        yield f"{name}.{attention}.out_proj.weight", _random(dim, dim)
    yield f"{name}.linear1.weight", _random(4 * dim, dim)
    yield f"{name}.linear2.weight", _random(dim, 4 * dim)
    for norm in ("norm1", "norm_cross", "norm2"):
        yield from _norm(f"{name}.{norm}", dim)


def _norm(name: str, dim: int) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", torch.ones(dim, dtype=torch.float16)
    yield f"{name}.bias", torch.zeros(dim, dtype=torch.float16)


def _random(outputs: int, inputs: int) -> Tensor:
    return torch.randn(outputs, inputs).mul_(GAIN * inputs**-0.5).half()


def _write_codec(file: Path) -> None:
    """Write EnCodec for 32 kHz with four codebooks, encoder and decoder."""
    from audiocraft.models import builders  # takes seconds to import

    configuration, _ = _read(file)
    configuration.seanet.update(ENCODEC)
    configuration.rvq.update(n_q=CODEBOOKS, bins=CARD)
    codec = builders.get_compression_model(configuration)
    torch.save({"xp.cfg": OmegaConf.to_yaml(configuration), "best_state": codec.state_dict()}, file)


def _read(file: Path) -> tuple[DictConfig, dict[str, Any]]:
    package = torch.load(file, map_location="cpu", weights_only=True)
    configuration = OmegaConf.create(package["xp.cfg"])
    return configuration, package["best_state"]


if __name__ == "__main__":
    main()
