"""Tiny MusicGen models with seeded random weights, as audiocraft models and as checkpoints."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from audiocraft.models import builders
from audiocraft.models.lm import LMModel
from audiocraft.modules.conditioners import ConditioningAttributes
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from bench.tiny import LANGUAGE_MODEL
from worker.engine.batching.config import LanguageModelConfig, parse_config

# As in the configuration of musicgen-melody.
CHROMA = {"sample_rate": 32_000, "n_chroma": 12, "radix2_exp": 14, "argmax": True, "match_len_on_eval": False}


@dataclass(frozen=True)
class Tiny:
    """Parameters of a model under test; everything else is as in MusicGen."""

    dim: int = 32
    heads: int = 4
    layers: int = 2
    codebooks: int = 4
    codebook_size: int = 40
    stereo: bool = False
    melody: bool = False
    seed: int = 1
    options: tuple[tuple[str, Any], ...] = field(default=())

    def yaml(self) -> str:
        tree = OmegaConf.create({**LANGUAGE_MODEL, "device": "cpu", "dtype": "float32"})
        tree.transformer_lm.update(
            dim=self.dim, num_heads=self.heads, num_layers=self.layers, n_q=self.codebooks, card=self.codebook_size
        )
        tree.codebooks_pattern.delay.delays = [k // 2 if self.stereo else k for k in range(self.codebooks)]
        tree.interleave_stereo_codebooks = {"use": self.stereo, "per_timestep": False}
        if self.melody:
            tree.conditioners.self_wav = {"model": "chroma_stem", "chroma_stem": CHROMA}
            tree.fuser.update(cross=[], prepend=["self_wav", "description"])
        for name, value in self.options:
            OmegaConf.update(tree, name, value)
        return OmegaConf.to_yaml(tree)


@cache
def language_model(tiny: Tiny) -> LMModel:
    """audiocraft's model, with weights so large that the most likely code is far ahead of the next."""
    tree = OmegaConf.create(tiny.yaml())
    tree.conditioners = {}  # no T5: the tests create text embeddings themselves
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(tiny.seed)
        model = builders.get_lm_model(tree)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=2.0 * parameter.shape[1] ** -0.5)
    return model.eval()


def config(tiny: Tiny) -> LanguageModelConfig:
    return parse_config(tiny.yaml())


def weights(tiny: Tiny) -> dict[str, Tensor]:
    return dict(language_model(tiny).state_dict())


def random_text(tiny: Tiny, tokens: int, seed: int) -> Tensor:
    """A random text embedding: [tokens, dim]."""
    return torch.randn(tokens, tiny.dim, generator=torch.Generator().manual_seed(seed))


def audiocraft_codes(
    tiny: Tiny,
    text: Tensor,
    frames: int,
    cfg_scale: float,
    given: Tensor | None = None,
    melody: Tensor | None = None,
    negative: Tensor | None = None,
) -> Tensor:
    """Greedy generation by audiocraft for a batch of one: [codebooks, frames].

    With a negative prompt, audiocraft computes the rows in two steps, so that their texts may differ in length.
    """
    model = language_model(tiny)
    texts = [text, torch.zeros_like(text) if negative is None else negative]
    if melody is None:
        rows = [{"description": each[None]} for each in texts]
    else:
        rows = [{"description": each[None], "self_wav": melody[None]} for each in pad_sequence(texts, True)]
    model.condition_provider = _Fixed(*rows)
    codes: Tensor = model.generate(
        prompt=None if given is None else given[None],
        conditions=[ConditioningAttributes(text={"description": "music"})],
        max_gen_len=frames,
        use_sampling=False,
        cfg_coef=cfg_scale,
        two_step_cfg=negative is not None,
    )
    return codes[0]


def audiocraft_windows(
    tiny: Tiny, text: Tensor, frames: int, longest: int, cfg_scale: float, given: Tensor | None = None
) -> Tensor:
    """Greedy generation in windows of at most `longest` frames, like audiocraft's `MusicGen._generate_tokens`."""
    stride, offset = int(0.6 * longest), 0
    parts = [] if given is None else [given]
    start = 0 if given is None else given.shape[1]
    if frames <= longest:
        return audiocraft_codes(tiny, text, frames, cfg_scale, given)
    while offset + start < frames:
        codes = audiocraft_codes(tiny, text, min(frames - offset, longest), cfg_scale, given)
        parts.append(codes[:, start:])
        given = codes[:, stride:]
        start = given.shape[1]
        offset += stride
    return torch.cat(parts, 1)


class _Fixed(torch.nn.Module):
    """A condition provider with one condition, and one in place of the null condition."""

    def __init__(self, *rows: dict[str, Tensor]) -> None:
        super().__init__()
        self._rows = rows

    def tokenize(self, attributes: list[ConditioningAttributes]) -> list[dict[str, Tensor]]:
        return [self._rows[each.text["description"] is None] for each in attributes]

    def forward(self, tokenized: list[dict[str, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
        joined = {name: torch.cat([row[name] for row in tokenized]) for name in tokenized[0]}
        return {name: (value, torch.ones(value.shape[:2])) for name, value in joined.items()}


def write_checkpoint(folder: Path, tiny: Tiny) -> None:
    """Write a checkpoint with a language model only."""
    folder.mkdir(parents=True, exist_ok=True)
    state = weights(tiny) | {"condition_provider.conditioners.description.output_proj.weight": torch.zeros(1, 1)}
    torch.save({"xp.cfg": tiny.yaml(), "best_state": state}, folder / "state_dict.bin")
