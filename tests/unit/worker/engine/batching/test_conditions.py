"""The condition for "no melody" equals audiocraft's; and the negative prompt."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audiocraft.modules.chroma import ChromaExtractor
from msgspec.structs import replace

from bench.tiny import write_tiny
from shared.messages import Recipe
from tests.unit.worker.engine.batching.models import Tiny, config
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.engine import load
from worker.engine.batching.melody import no_melody
from worker.engine.interface import EngineSettings, Samples

RATE = 32_000
WINDOW_EXPONENT = 14


def melody_model(argmax: bool) -> LanguageModelConfig:
    return config(Tiny(melody=True, options=(("conditioners.self_wav.chroma_stem.argmax", argmax),)))


@pytest.mark.parametrize("argmax", [True, False])
@pytest.mark.filterwarnings("ignore")  # librosa's, about its filters
def test_no_melody_equals_audiocrafts_chromagram_of_silence(argmax: bool) -> None:
    model = melody_model(argmax)
    weight, bias = torch.randn(model.dim, 12), torch.randn(model.dim)
    name = "condition_provider.conditioners.self_wav.output_proj"
    extractor = ChromaExtractor(RATE, 12, WINDOW_EXPONENT, argmax=argmax)
    length = extractor(torch.zeros(1, 30 * RATE)).shape[1]
    # Like ChromaStemConditioner: one sample of silence, repeated to the length of the model's segment.
    silence = extractor(torch.zeros(1, 1))
    repeated = silence.repeat(1, -(-length // silence.shape[1]), 1)[0, :length]
    expected = torch.nn.functional.linear(repeated, weight, bias)
    torch.testing.assert_close(no_melody(model, {f"{name}.weight": weight, f"{name}.bias": bias}), expected)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_engine_follows_a_negative_prompt_by_guidance(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    settings = EngineSettings(engine="batching", model=str(tmp_path), device="cpu", max_slots=1, max_duration=1)
    engine = load(settings, print)

    def samples(**fields: Any) -> Samples:
        recipe = replace(Recipe(model="tiny", prompt="happy piano", duration=0.5, seed=7), **fields)
        return np.concatenate(list(engine.generate(recipe, lambda done, total: None)))

    try:
        assert not np.array_equal(samples(negative_prompt="drums"), samples())
        assert np.array_equal(samples(negative_prompt="drums", cfg_coef=1.0), samples(cfg_coef=1.0))
    finally:
        engine.close()


def test_no_melody_is_empty_without_a_melody_condition() -> None:
    assert no_melody(config(Tiny()), {}).shape == (0, Tiny().dim)
