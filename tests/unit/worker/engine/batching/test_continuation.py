"""What continues audio has audiocraft's codes, every one of them."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import Tensor

from shared.edits import Edit, ParentAudio
from tests.unit.worker.engine.batching.conditioned import RECIPE, as_excerpt, audiocrafts, loaded, write_model
from worker.production.audio_child import CODEC_FRAMES, OldAudio, context_of, engine_child

STEREO: dict[str, Any] = {
    "transformer_lm.n_q": 8,
    "codebooks_pattern.delay.delays": [0, 0, 1, 1, 2, 2, 3, 3],
    "interleave_stereo_codebooks": {"use": True, "per_timestep": False},
}
MODELS: dict[str, tuple[int, dict[str, Any]]] = {"mono": (1, {}), "another": (2, {}), "stereo": (3, STEREO)}

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / str(request.param)
    write_model(made, *MODELS[request.param])
    return made


def sound(seconds: float, channels: int, rate: int, seed: int = 0) -> Tensor:
    """Noise of shape [channels, samples]."""
    return 0.5 * torch.randn(channels, round(seconds * rate), generator=torch.Generator().manual_seed(seed))


# Whole frames, a part of one, other rates and channels; and pieces of several windows.
@pytest.mark.parametrize(
    ("seconds", "channels", "rate", "duration"),
    [
        (0.5, 1, 32_000, 1.0),
        (0.5, 2, 32_000, 1.0),
        (0.013, 1, 32_000, 1.0),
        (0.7, 2, 44_100, 1.5),
        (1.9, 1, 48_000, 2.0),
        (0.6, 2, 11_025, 5.0),
    ],
)
def test_codes_equal_audiocrafts(folder: Path, seconds: float, channels: int, rate: int, duration: float) -> None:
    audio = sound(seconds, channels, rate)
    with loaded(folder) as ours:
        codes = ours.codes(as_excerpt(audio, rate), duration=duration)
    _, expected = audiocrafts(folder, duration).generate_continuation(audio, rate, [RECIPE.prompt], return_tokens=True)
    assert codes.equal(expected[0])
    assert len(set(codes.flatten().tolist())) > 8, "codes that repeat test nothing"


# A part that is replaced, and takes that get longer by less and by more than a window.
@pytest.mark.parametrize(
    ("rate", "begin", "end", "longer"),
    [(32_000, 1.31, 1.9, 0.0), (44_100, 1.5, None, 0.4), (48_000, 0.777, None, 0.0), (32_000, 1.5, None, 2.0)],
)
def test_codes_of_a_child_of_a_take_equal_audiocrafts(
    folder: Path, rate: int, begin: float, end: float | None, longer: float
) -> None:
    """As the worker cuts the excerpt out of the parent, and asks the engine to go on from it."""
    with loaded(folder) as ours:
        old = OldAudio(sound(2.0, ours.engine.info.channels, rate).T.numpy(), rate)
        file = ParentAudio(sha256="0" * 64, size=1)
        edit = Edit(kind="extend", parent="gen_000000000000", audio=file, from_seconds=begin, to_seconds=end)
        child = replace(RECIPE, duration=2.0 + longer, edit=edit)
        asked, excerpt = engine_child(child), context_of(old, child)
        codes = ours.codes(excerpt, prompt=asked.prompt, duration=asked.duration)
    heard = torch.tensor(np.frombuffer(excerpt.samples, "<f4").reshape(-1, excerpt.channels).T)
    # Audiocraft leaves out a part of a frame.
    theirs = audiocrafts(folder, codes.shape[1] / CODEC_FRAMES + 0.001)
    _, expected = theirs.generate_continuation(heard, rate, [asked.prompt], return_tokens=True)
    assert codes.equal(expected[0])
    assert codes.shape[1] > CODEC_FRAMES * excerpt.duration


def test_company_changes_no_code(folder: Path) -> None:
    excerpts = [as_excerpt(sound(0.3 + number / 10, 1, 32_000, number), 32_000) for number in range(3)]
    with loaded(folder, slots=3) as ours:
        alone = ours.codes(excerpts[0])
        others = [threading.Thread(target=ours.play, args=(excerpt,)) for excerpt in excerpts[1:]]
        for other in others:
            other.start()
        together = ours.codes(excerpts[0])
        for other in others:
            other.join()
    assert together.equal(alone)


def test_an_excerpt_as_long_as_the_piece_is_refused(folder: Path) -> None:
    with loaded(folder) as ours:
        for duration in (0.5, 3.0):
            audio = as_excerpt(sound(min(duration, 2.0), 1, 32_000), 32_000)
            with pytest.raises(ValueError, match="leaves nothing to generate"):
                ours.codes(audio, duration=duration)
