"""Takes of models without a score, on the grid of their recipe."""

import numpy as np
import pytest
from msgspec.structs import replace

from shared.messages import Recipe
from shared.music import bar_seconds, grid_samples
from training.grid_material import MAKERS, Material
from worker.production.grid_fit import NotOnGridError, fit
from worker.production.seam import close_loop, seam_frames
from worker.production.stretch import stretch
from worker.production.take import Take

RATE = 32_000


def made(name: str = "drums", seed: int = 3) -> Material:
    return MAKERS[name](seed, 24.0)


def recipe_for(material: Material, off: float, bars: int = 4) -> Recipe:
    """A recipe whose tempo is off by this share."""
    bpm = round(material.bpm * (1 + off), 3)
    seconds = float(bars * bar_seconds(bpm, material.meter))
    return Recipe(model="small", prompt="drums", duration=seconds, bars=bars, bpm=bpm, meter=material.meter)


def take_of(material: Material) -> Take:
    return Take(material.audio, material.sample_rate)


@pytest.mark.parametrize("off", [-0.055, -0.01, 0.0, 0.02, 0.055])
@pytest.mark.parametrize(("name", "seed"), [("clicks", 1), ("drums", 3), ("pieces", 3)])
def test_a_take_gets_the_exact_tempo_and_length(name: str, seed: int, off: float) -> None:
    material = made(name, seed)
    recipe = recipe_for(material, off)
    fitted = fit(take_of(material), recipe)
    assert recipe.bpm is not None
    assert recipe.meter is not None
    assert len(fitted.audio) == grid_samples(4, recipe.bpm, recipe.meter, material.sample_rate)
    assert fitted.measured.bpm == pytest.approx(recipe.bpm, rel=2e-3)
    assert fitted.measured.downbeats[0] == 0.0
    assert len(fitted.measured.downbeats) == 4
    assert (fitted.music.bpm, fitted.music.meter, fitted.music.bars) == (recipe.bpm, recipe.meter, 4)
    assert fitted.warnings == ()


def test_a_take_begins_with_the_attack_of_a_downbeat() -> None:
    material = made("clicks", 1)
    audio = np.abs(fit(take_of(material), recipe_for(material, 0.03)).audio[:, 0])
    assert np.argmax(audio > 0.5 * audio.max()) < 0.012 * RATE


def test_the_same_take_is_fitted_to_the_same_samples() -> None:
    material = made()
    recipe = recipe_for(material, 0.04)
    np.testing.assert_array_equal(fit(take_of(material), recipe).audio, fit(take_of(material), recipe).audio)


def test_another_tempo_is_refused_with_the_take_as_it_is() -> None:
    material = made()
    recipe = recipe_for(material, 0.25)
    with pytest.raises(NotOnGridError, match="no steady tempo") as refusal:
        fit(take_of(material), recipe)
    take = refusal.value.take
    assert recipe.bpm is not None
    assert len(take.audio) == grid_samples(4, recipe.bpm, material.meter, RATE)
    np.testing.assert_array_equal(take.audio, material.audio[: len(take.audio)])
    assert (take.music.bpm, take.measured.bpm, take.measured.downbeats) == (None, None, ())
    assert "not on the grid" in take.warnings[0]


def test_a_tempo_just_beyond_the_limit_is_refused_by_name() -> None:
    material = made()
    with pytest.raises(NotOnGridError, match=f"the tempo was {material.bpm:.1f} BPM"):
        fit(take_of(material), recipe_for(material, 0.07))


@pytest.mark.parametrize("seed", [3, 5, 6])
def test_a_loop_continues_at_its_start(seed: int) -> None:
    material = made("pieces", seed)
    audio = fit(take_of(material), replace(recipe_for(material, 0.03, bars=2), loop=True)).audio
    steps = np.abs(np.diff(audio, axis=0)).max(axis=1)
    assert np.abs(audio[0] - audio[-1]).max() <= np.quantile(steps, 0.999)


def test_a_take_without_a_grid_is_measured_only() -> None:
    material = made("pieces", 3)
    recipe = Recipe(model="small", prompt="music", duration=20.0)
    take = fit(take_of(material), recipe)
    np.testing.assert_array_equal(take.audio, material.audio[: 20 * material.sample_rate])
    assert take.measured.bpm_confidence is not None
    assert take.measured.key_confidence is not None
    assert take.music.bpm is None


def test_a_stopped_take_is_measured_and_never_refused() -> None:
    material = made()
    take = take_of(material)._replace(audio=material.audio[: 3 * RATE], is_whole=False)
    assert len(fit(take, recipe_for(material, 0.25)).audio) == 3 * RATE


@pytest.mark.parametrize("frames", [0, 100])
def test_very_short_audio_stays_as_it_is(frames: int) -> None:
    take = Take(np.ones((frames, 1), np.float32), RATE, is_whole=False)
    assert len(fit(take, recipe_for(made(), 0.0)).audio) == frames


def test_a_take_with_a_score_stays_as_it_is() -> None:
    take = Take(np.ones((RATE, 2), np.float32), RATE, has_score=True)
    assert fit(take, recipe_for(made(), 0.25)) is take


@pytest.mark.parametrize("speed", [0.94, 0.99, 1.0, 1.06])
def test_stretching_keeps_times_and_pitch(speed: float) -> None:
    seconds = np.arange(4 * RATE) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 1000 * seconds)).astype(np.float32)
    clicks = np.zeros(4 * RATE, np.float32)
    places = np.arange(1, 7) * RATE // 2
    clicks[places] = 1
    start, frames = RATE // 4, 2 * RATE
    made = stretch(np.column_stack([tone, clicks]), RATE, start, frames, speed)
    assert made.shape == (frames, 2)
    spectrum = np.abs(np.fft.rfft(made[:, 0] * np.hanning(frames)))
    assert np.argmax(spectrum) * RATE / frames == pytest.approx(1000, abs=1)
    for place in (places - start) / speed:
        if 2000 < place < frames - 2000:
            found = round(place) - 1000 + np.argmax(np.abs(made[round(place) - 1000 : round(place) + 1000, 1]))
            assert found == pytest.approx(place, abs=0.001 * RATE)


def test_a_seam_keeps_the_power_and_the_first_attack() -> None:
    sound = np.random.default_rng(3).standard_normal((RATE, 1)).astype(np.float32)
    frames = seam_frames(RATE)
    loop = close_loop(sound, RATE)
    np.testing.assert_array_equal(loop[:-frames], sound[frames:-frames])
    assert np.std(loop[-frames:]) == pytest.approx(1, abs=0.15)
