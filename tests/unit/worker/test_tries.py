"""How often an attempt generates, with which seeds, and which take it delivers."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from msgspec.structs import replace

from shared.audio_conditions import decode_excerpt
from shared.edits import Edit, ParentAudio
from shared.messages import Recipe
from shared.music import grid_samples
from training.grid_material import Material, drums
from worker.engine.host.engine_job import EngineJob, GenerationFailedError
from worker.engine.interface import ModelInfo, Samples
from worker.engine.protocol import Chunk, Generated, Progress
from worker.production.engine_recipe import MOST_TRIES, try_seed
from worker.production.produce import produce
from worker.production.take import Take
from worker.tries import Tries

RATE = 32_000
INFO = ModelInfo(engine="scripted", device="cpu", sample_rate=RATE, channels=1)
FREE = Recipe(model="small", prompt="drums", duration=4.0, seed=7)
MATERIAL: Material = drums(3, 24.0)
GRID = replace(FREE, bars=4, bpm=round(MATERIAL.bpm * 1.02, 2), meter=MATERIAL.meter)
OFF_GRID: Samples = np.random.default_rng(1).standard_normal((16 * RATE, 1)).astype(np.float32) * np.float32(0.2)


class Engine:
    """Makes the given takes one after the other, and notes what it was asked for."""

    def __init__(self, *takes: Samples | Exception) -> None:
        self.takes = list(takes)
        self.asked: list[Recipe] = []
        self.on_half: Callable[[], None] = lambda: None

    async def generate(self, recipe: Recipe, job: EngineJob) -> None:
        self.asked.append(recipe)
        take = self.takes.pop(0)
        if isinstance(take, Exception):
            raise take
        job.receive(Progress("gen", 1, 2))
        self.on_half()
        job.receive(Progress("gen", 2, 2))
        job.receive(Chunk("gen", take.astype("<f4").tobytes(), 1))
        job.receive(Generated("gen"))


def tries_of(recipe: Recipe, on_chunk: Callable[[Samples], None] = lambda samples: None) -> Tries:
    return Tries(recipe, INFO, on_chunk)


async def test_a_recipe_without_a_tempo_is_generated_once_and_heard_live() -> None:
    heard = list[Samples]()
    engine, tries = Engine(OFF_GRID[: 4 * RATE]), tries_of(FREE, heard.append)
    await tries.run(engine.generate)
    take = await tries.take(is_whole=True)
    assert take is not None
    assert (len(engine.asked), len(heard), take.seed, take.warnings) == (1, 1, None, ())
    np.testing.assert_array_equal(take.audio, OFF_GRID[: 4 * RATE])


async def test_the_engine_is_asked_for_the_words_and_the_length_of_the_grid() -> None:
    engine, tries = Engine(MATERIAL.audio), tries_of(GRID)
    await tries.run(engine.generate)
    assert f"bpm: {GRID.bpm}" in engine.asked[0].prompt
    assert engine.asked[0].duration > GRID.duration


async def test_a_take_on_the_grid_is_stretched_and_not_heard_live() -> None:
    heard = list[Samples]()
    engine, tries = Engine(MATERIAL.audio), tries_of(GRID, heard.append)
    await tries.run(engine.generate)
    take = await tries.take(is_whole=True)
    assert take is not None
    assert GRID.bpm is not None
    assert len(take.audio) == grid_samples(4, GRID.bpm, MATERIAL.meter, RATE)
    assert (take.music.bpm, take.seed, heard) == (GRID.bpm, None, [])


async def test_a_take_off_the_grid_is_generated_again_with_a_recorded_seed() -> None:
    engine, tries = Engine(OFF_GRID, MATERIAL.audio), tries_of(GRID)
    assert tries.phase == "Generating"
    await tries.run(engine.generate)
    take = await tries.take(is_whole=True)
    assert take is not None
    assert [recipe.seed for recipe in engine.asked] == [7, try_seed(7, 1)]
    assert (take.seed, take.music.bpm, take.warnings) == (try_seed(7, 1), GRID.bpm, ())
    assert tries.phase == f"Generating again: no steady tempo of {GRID.bpm:g} BPM was found"


async def test_after_the_last_try_the_best_take_comes_with_a_warning() -> None:
    engine, tries = Engine(*[OFF_GRID] * MOST_TRIES), tries_of(GRID)
    await tries.run(engine.generate)
    take = await tries.take(is_whole=True)
    assert take is not None
    assert len(engine.asked) == MOST_TRIES
    assert GRID.bpm is not None
    assert len(take.audio) == grid_samples(4, GRID.bpm, MATERIAL.meter, RATE)
    assert (take.music.bpm, len(take.warnings)) == (None, 1)


async def test_the_progress_never_falls() -> None:
    engine, tries = Engine(*[OFF_GRID] * MOST_TRIES), tries_of(GRID)
    seen = list[float]()
    engine.on_half = lambda: seen.append(tries.progress)
    await tries.run(engine.generate)
    assert seen == sorted(seen)
    assert seen == pytest.approx([0.3, 0.72, 0.92])
    assert tries.progress == pytest.approx(1.0)


async def test_a_failure_of_a_later_try_leaves_the_take_of_an_earlier_one() -> None:
    engine, tries = Engine(OFF_GRID, GenerationFailedError("out_of_memory", "no memory")), tries_of(GRID)
    await tries.run(engine.generate)
    take = await tries.take(is_whole=True)
    assert take is not None
    assert len(take.warnings) == 1


async def test_a_failure_of_the_first_try_fails() -> None:
    with pytest.raises(GenerationFailedError, match="no memory"):
        await tries_of(GRID).run(Engine(GenerationFailedError("out_of_memory", "no memory")).generate)


async def test_a_take_that_was_stopped_early_is_delivered_as_far_as_it_came() -> None:
    tries = tries_of(GRID)
    assert await tries.take(is_whole=False) is None
    tries.job.receive(Chunk("gen", OFF_GRID[:RATE].astype("<f4").tobytes(), 1))
    take = await tries.take(is_whole=False)
    assert take is not None
    assert (len(take.audio), take.is_whole) == (RATE, False)


async def test_a_stop_during_a_later_try_keeps_the_whole_take_of_an_earlier_one() -> None:
    engine, tries = Engine(OFF_GRID, RuntimeError("stopped")), tries_of(GRID)
    with pytest.raises(RuntimeError, match="stopped"):
        await tries.run(engine.generate)
    tries.job.receive(Chunk("gen", OFF_GRID[:RATE].astype("<f4").tobytes(), 1))
    take = await tries.take(is_whole=False)
    assert take is not None
    assert GRID.bpm is not None
    assert len(take.audio) == grid_samples(4, GRID.bpm, MATERIAL.meter, RATE)


async def test_models_that_write_scores_get_the_recipe_as_it_is() -> None:
    engine = Engine(OFF_GRID)
    tries = Tries(GRID, replace(INFO, outputs=("midi", "stems")), lambda samples: None)
    await tries.run(engine.generate)
    assert engine.asked == [GRID]
    take = await tries.take(is_whole=True)
    assert take is not None
    assert take.has_score


async def test_a_child_of_audio_is_generated_once_and_put_into_its_parent(tmp_path: Path) -> None:
    parent = replace(GRID, duration=4.0, bars=2, bpm=120.0, meter="4/4")
    file = parent_file(parent, tmp_path)
    edit = Edit(kind="vary", parent="gen_000000000000", audio=ParentAudio(sha256="0" * 64, size=1), from_seconds=2.0)
    heard = list[Samples]()
    tries = tries_of(replace(parent, edit=edit), heard.append)
    excerpt = decode_excerpt(await tries.read_parent(file))
    engine = Engine(OFF_GRID)
    await tries.run(engine.generate)
    assert (excerpt.duration, heard) == (2.0, [])
    assert [(asked.duration, asked.edit) for asked in engine.asked] == [(4.04, None)]
    take = await tries.take(is_whole=True)
    assert take is not None
    assert len(take.audio) == 4 * RATE
    assert "may leave the grid" in take.warnings[0]
    old, _ = soundfile.read(io.BytesIO(file), dtype="float32", always_2d=True)
    np.testing.assert_array_equal(take.audio[: round(1.97 * RATE)], old[: round(1.97 * RATE)])


async def test_a_parent_that_the_model_cannot_go_on_from_fails_the_child() -> None:
    edit = Edit(kind="vary", parent="gen_000000000000", audio=ParentAudio(sha256="0" * 64, size=1), from_seconds=2.0)
    with pytest.raises(GenerationFailedError, match="cannot be decoded"):
        await tries_of(replace(FREE, edit=edit)).read_parent(b"RIFF")


def parent_file(recipe: Recipe, folder: Path) -> bytes:
    made = produce("gen_000000000000", Take(OFF_GRID[: 4 * RATE], RATE), recipe, folder)
    return (folder / made.audio.name).read_bytes()
