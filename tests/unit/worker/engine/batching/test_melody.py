"""What follows a melody has audiocraft's chroma and codes, every one of them, where both read the whole mix."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import torch
from audiocraft.data.audio_utils import convert_audio
from audiocraft.modules import conditioners
from audiocraft.modules.chroma import ChromaExtractor
from torch import Tensor

from tests.unit.worker.engine.batching.conditioned import RECIPE, as_excerpt, audiocrafts, loaded, write_model
from tests.unit.worker.engine.batching.models import CHROMA, Tiny, config
from tests.unit.worker.engine.batching.test_continuation import STEREO, sound
from worker.engine.batching.melody import MelodyReader

MELODY: dict[str, Any] = {
    "conditioners.self_wav": {"model": "chroma_stem", "chroma_stem": CHROMA},
    "fuser.cross": [],
    "fuser.prepend": ["self_wav", "description"],
}
MODELS: dict[str, tuple[int, dict[str, Any]]] = {
    "mono": (4, MELODY),
    "another": (5, MELODY),
    "stereo": (6, MELODY | STEREO),
}

pytestmark = pytest.mark.filterwarnings("ignore")


@contextmanager
def without_demucs() -> Iterator[None]:
    """audiocraft with nothing in place of Demucs: it reads the whole mix."""
    fake = SimpleNamespace(sources=["drums", "bass", "other", "vocals"], samplerate=44_100, audio_channels=2)
    fake.to = lambda device: fake

    def whole_mix(self: Any, wav: Tensor, sample_rate: int) -> Tensor:
        mono: Tensor = convert_audio(wav, sample_rate, self.sample_rate, 1)
        return mono

    package = SimpleNamespace(pretrained=SimpleNamespace(get_model=lambda name: fake))
    with (
        patch.dict(sys.modules, {"demucs": package}),
        patch.object(conditioners.ChromaStemConditioner, "_get_stemmed_wav", whole_mix),
    ):
        yield


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / str(request.param)
    with without_demucs():
        write_model(made, *MODELS[request.param])
    return made


def tune(seconds: float, channels: int, rate: int) -> Tensor:
    """Notes of a scale with some noise, of shape [channels, samples]."""
    time = torch.arange(round(seconds * rate)) / rate
    steps = torch.tensor([0, 4, 7, 2, 9, 5])[(time * 4).long() % 6]
    notes = 0.4 * torch.sin(2 * torch.pi * 220 * 2 ** (steps / 12) * time)
    return notes + 0.1 * sound(seconds, channels, rate)


# Shorter than a spectrum, as long as a window and longer, other rates and channels; and pieces of several windows.
@pytest.mark.parametrize(
    ("seconds", "channels", "rate", "duration"),
    [(0.2, 1, 32_000, 1.0), (1.5, 2, 44_100, 2.0), (3.0, 1, 48_000, 1.5), (1.3, 2, 32_000, 5.0)],
)
def test_codes_equal_audiocrafts(folder: Path, seconds: float, channels: int, rate: int, duration: float) -> None:
    audio = tune(seconds, channels, rate)
    with loaded(folder) as ours:
        codes = ours.codes(as_excerpt(audio, rate), "melody", duration=duration)
        silent = ours.codes(None, duration=duration)
    with without_demucs():
        model = audiocrafts(folder, duration)
        _, expected = model.generate_with_chroma([RECIPE.prompt], audio[None], rate, return_tokens=True)
    assert codes.equal(expected[0])
    assert not codes.equal(silent), "the melody changes nothing"


@pytest.mark.parametrize("argmax", [True, False])
@pytest.mark.parametrize("samples", [100, 16_384, 16_385, 200_000])
def test_chroma_equal_audiocrafts(argmax: bool, samples: int) -> None:
    model = config(Tiny(melody=True, options=(("conditioners.self_wav.chroma_stem.argmax", argmax),)))
    name = "condition_provider.conditioners.self_wav.output_proj"
    reader = MelodyReader(model, {f"{name}.weight": torch.eye(12), f"{name}.bias": torch.zeros(12)})
    audio = tune(samples / 32_000, 1, 32_000)[0]
    expected = ChromaExtractor(32_000, 12, 14, argmax=argmax)(audio[None])[0]
    read = reader.read(audio, 32_000)
    assert read[: len(expected)].equal(expected)
    assert model.melody is not None
    assert len(read) == model.melody.length
