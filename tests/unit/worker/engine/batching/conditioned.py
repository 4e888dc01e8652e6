"""Whole checkpoints with random weights, as this engine and as audiocraft load them, and the codes of both."""

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from audiocraft.models import MusicGen
from audiocraft.models.loaders import load_compression_model
from msgspec.structs import replace
from omegaconf import OmegaConf
from torch import Tensor

from bench import tiny
from shared.audio_conditions import AudioConditions, AudioSource, ConditionKind, Excerpt
from shared.messages import Recipe
from tests.unit.worker.engine.encodec.test_audio_encoder import liven
from worker.engine import audiocraft_checkpoint
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.codec_interface import CodecStream
from worker.engine.interface import EngineSettings, Tuning
from worker.engine.loading.checkpoints import CODEC_FILE, LANGUAGE_MODEL_FILE

# Seconds of one window: a piece of three seconds needs several.
WINDOW = 2.0
RECIPE = Recipe(model="tiny", prompt="happy piano", duration=1.0, top_k=1, cfg_coef=3.0)


def write_model(folder: Path, seed: int, changes: dict[str, Any]) -> None:
    """Write a checkpoint whose most likely codes differ from step to step; `changes` are of the language model."""
    settings = OmegaConf.create(copy.deepcopy(tiny.LANGUAGE_MODEL))
    settings.dataset.segment_duration = WINDOW
    for name, value in changes.items():
        OmegaConf.update(settings, name, value)
    with patch.object(tiny, "LANGUAGE_MODEL", OmegaConf.to_container(settings)), patch.object(tiny, "SEED", seed):
        tiny.write_tiny(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _scatter_likelihoods(folder / LANGUAGE_MODEL_FILE)
    _liven_codec(folder, seed)


def _scatter_likelihoods(file: Path) -> None:
    package = torch.load(file, weights_only=True)
    for name, tensor in package["best_state"].items():
        if tensor.dim() > 1 and not name.startswith("condition_provider"):
            tensor.normal_(std=2.0 * tensor.shape[1] ** -0.5)
    torch.save(package, file)


def _liven_codec(folder: Path, seed: int) -> None:
    model = load_compression_model(folder, device="cpu")
    liven(model.encoder, [layer.codebook for layer in model.quantizer.vq.layers], 1, seed)
    package = torch.load(folder / CODEC_FILE, weights_only=True)
    torch.save({**package, "best_state": model.state_dict()}, folder / CODEC_FILE)


@contextmanager
def loaded(folder: Path, slots: int = 1) -> Iterator["Ours"]:
    """This engine with the checkpoint, in float32."""
    settings = EngineSettings(
        engine="batching",
        model=str(folder),
        device="cpu",
        max_slots=slots,
        max_duration=10,
        tuning=Tuning(precision="float32", step="torch"),
    )
    engine = load(settings, lambda message: None)
    try:
        yield Ours(engine)
    finally:
        engine.close()


@dataclass
class Ours:
    """The engine."""

    engine: BatchingEngine

    def codes(self, excerpt: Excerpt | None, kind: ConditionKind = "continue_from", **fields: Any) -> Tensor:
        """The codes of a recipe: int64 of shape [codebooks, frames]."""
        open_stream, mine = self.engine._codec.stream, threading.get_ident()
        streams: list[Recorder] = []

        def record(total_samples: int | None = None) -> CodecStream:
            stream = open_stream(total_samples)
            if threading.get_ident() != mine:
                return stream
            streams.append(Recorder(stream))
            return streams[0]

        with patch.object(self.engine._codec, "stream", record):
            self.play(excerpt, kind, **fields)
        return torch.cat(streams[0].codes, 1)

    def play(self, excerpt: Excerpt | None, kind: ConditionKind = "continue_from", **fields: Any) -> None:
        """Make the audio of a recipe."""
        source = {kind: AudioSource(audio_id="aud_abc123456789")}
        audio = None if excerpt is None else AudioConditions(**source)
        recipe = replace(RECIPE, audio=audio, **fields)
        made = sum(map(len, self.engine.generate(recipe, lambda done, total: None, excerpt=excerpt)))
        assert made == round(recipe.duration * tiny.SAMPLE_RATE)


class Recorder:
    """A `CodecStream` that keeps the codes."""

    def __init__(self, stream: CodecStream) -> None:
        self._stream = stream
        self.codes: list[Tensor] = []

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        self.codes.append(codes.clone())
        return self._stream.push(codes, last)


def audiocrafts(folder: Path, duration: float) -> Any:
    """audiocraft's `MusicGen` with the checkpoint, which takes the most likely codes."""
    # Its default stride is 18 seconds, which its constructor compares with the window.
    with patch.object(audiocraft_checkpoint, "MusicGen", partial(MusicGen, max_duration=30)):
        model: Any = audiocraft_checkpoint.load_musicgen(str(folder), "cpu")
    model.max_duration = WINDOW
    model.set_generation_params(use_sampling=False, duration=duration, cfg_coef=3.0, extend_stride=0.6 * WINDOW)
    return model


def as_excerpt(audio: Tensor, sample_rate: int) -> Excerpt:
    """Audio [channels, samples] as it is stored."""
    samples = audio.T.contiguous().numpy().astype("<f4").tobytes()
    return Excerpt(sample_rate=sample_rate, channels=len(audio), samples=samples)
