"""MusicGen's real sizes, and random weights of them."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from worker.engine.batching.config import LanguageModelConfig

CODEBOOKS = 4
# Scale of the weights that gives peaked distributions, as in a trained model.
GAIN = 2.0


class Size(NamedTuple):
    """The language model's dimensions; `card` is the number of codes in a codebook."""

    dim: int
    layers: int
    heads: int
    card: int = 2048


SIZES = {"small": Size(1024, 24, 16), "medium": Size(1536, 48, 24), "large": Size(2048, 48, 32)}


def configuration(size: Size) -> LanguageModelConfig:
    """MusicGen's of this size."""
    return LanguageModelConfig(
        dim=size.dim, heads=size.heads, layers=size.layers, hidden=4 * size.dim, codebooks=CODEBOOKS,
        codebook_size=size.card, delays=tuple(range(CODEBOOKS)), segment=30.0, text_encoder="t5",
    )  # fmt: skip


def language_model_weights(size: Size, text_dim: int) -> Iterator[tuple[str, Tensor]]:
    """The weights of audiocraft's `LMModel` of this size, by name."""
    output, dim = "condition_provider.conditioners.description.output_proj", size.dim
    yield f"{output}.weight", _random(dim, text_dim)
    yield f"{output}.bias", torch.zeros(dim)
    for book in range(CODEBOOKS):
        yield f"emb.{book}.weight", _random(size.card + 1, dim)
        yield f"linears.{book}.weight", _random(size.card, dim)
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
