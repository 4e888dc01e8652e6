"""MIDI and stems of an engine whose model writes scores."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from msgspec.structs import replace

from shared.files import OUTPUT_KINDS
from shared.messages import Recipe
from shared.music import Music, bar_seconds, grid_samples
from shared.prompt.reader import read_prompt
from tests.sampler_checkpoint import write_sampler_checkpoint
from tests.unit.worker.engine.sampler.test_midi import read
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import (
    CancelledGenerationError,
    EngineOutput,
    EngineSettings,
    KeptGenerationError,
    Midi,
    Samples,
    Stage,
    Stem,
    Warn,
)

RATE = 32_000
# Those that the plan of the recipe's seed has.
STEMS = ["bass_guitar", "piano", "electric_guitar", "drums"]
RECIPE = Recipe(model="tiny", prompt="happy piano", duration=6.0, seed=1, outputs=OUTPUT_KINDS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchingEngine]:
    folder = write_sampler_checkpoint(tmp_path_factory.mktemp("sampler") / "tiny")
    settings = EngineSettings(engine="batching", model=str(folder), device="cpu", max_slots=2, max_duration=20.0)
    engine = load(settings, lambda _: None)
    yield engine
    engine.close()


class Made:
    """The audio and outputs of a recipe. `stop` is raised at the first step after the second chunk."""

    def __init__(self, engine: BatchingEngine, recipe: Recipe, stop: type[Exception] | None = None) -> None:
        self.chunks: list[Samples] = []
        self.outputs: list[EngineOutput] = []
        self._stop = stop
        for chunk in engine.generate(recipe, self._on_step, self.outputs.append):
            assert not [each for each in self.outputs if not isinstance(each, Warn | Stage)]
            self.chunks.append(chunk)

    def _on_step(self, done: int, total: int) -> None:
        if self._stop and len(self.chunks) >= 2:
            raise self._stop

    @property
    def audio(self) -> Samples:
        return np.concatenate(self.chunks)

    @property
    def warnings(self) -> list[str]:
        return [each.text for each in self.outputs if isinstance(each, Warn)]

    @property
    def midi(self) -> list[Midi]:
        return [each for each in self.outputs if isinstance(each, Midi)]

    @property
    def stems(self) -> dict[str, Samples]:
        return {each.name: each.samples for each in self.outputs if isinstance(each, Stem)}


def test_info_names_the_outputs(engine: BatchingEngine) -> None:
    assert engine.info.outputs == ("midi", "stems")


def test_outputs_follow_the_audio_and_align_with_it(engine: BatchingEngine) -> None:
    made = Made(engine, RECIPE)
    assert made.audio.shape == (6 * RATE, 2)
    (midi,) = made.midi
    assert len(read(midi.file)) == 1 + len(STEMS)
    assert list(made.stems) == STEMS
    together = np.sum(list(made.stems.values()), axis=0)
    assert all(stem.shape == made.audio.shape for stem in made.stems.values())
    np.testing.assert_allclose(together, made.audio, rtol=0, atol=1e-5)


def test_outputs_do_not_change_the_audio(engine: BatchingEngine) -> None:
    assert np.array_equal(Made(engine, RECIPE).audio, Made(engine, replace(RECIPE, outputs=())).audio)


@pytest.mark.parametrize("outputs", [(), ("midi",), ("stems",)])
def test_only_requested_outputs_are_made(engine: BatchingEngine, outputs: tuple[str, ...]) -> None:
    made = Made(engine, replace(RECIPE, duration=1.0, outputs=outputs))
    assert (bool(made.midi), bool(made.stems)) == ("midi" in outputs, "stems" in outputs)


def test_count_in_does_not_shorten_a_short_piece(engine: BatchingEngine) -> None:
    (midi,) = Made(engine, replace(RECIPE, bpm=126.0, duration=2.0)).midi
    struck = [tick for track in read(midi.file) for tick, message in track if message[0] & 0xF0 == 0x90 and message[2]]
    # Two seconds at 126 BPM with 480 ticks per beat; the song has a note on every eighth.
    end = 2 / 60 * 126 * 480
    assert end - 480 <= max(struck) <= end


def test_piece_longer_than_the_window_has_every_note_once(engine: BatchingEngine) -> None:
    made = Made(engine, replace(RECIPE, bpm=126.0, duration=25.0))
    assert all(len(stem) == 25 * RATE for stem in made.stems.values())
    # 25 seconds with 480 ticks per beat, at 126 BPM.
    last = max(tick for track in read(made.midi[0].file) for tick, _ in track)
    assert 25 / 60 * 126 * 480 - 480 < last <= 25 / 60 * 126 * 480 + 120


def test_kept_job_has_outputs_of_its_audio(engine: BatchingEngine) -> None:
    kept = Made(engine, replace(RECIPE, duration=20.0), KeptGenerationError)
    length = len(kept.audio)
    assert length < 10 * RATE
    assert {len(stem) for stem in kept.stems.values()} == {length}
    assert len(kept.midi) == 1
    together = np.sum(list(kept.stems.values()), axis=0)
    assert np.corrcoef(kept.audio[-RATE // 2 :, 0], together[-RATE // 2 :, 0])[0, 1] > 0.95


def test_cancelled_job_has_no_outputs(engine: BatchingEngine) -> None:
    with pytest.raises(CancelledGenerationError):
        Made(engine, RECIPE, CancelledGenerationError)


def test_cancelling_stops_the_rendering_of_stems(engine: BatchingEngine) -> None:
    outputs: list[EngineOutput] = []

    def on_step(done: int, total: int) -> None:
        if any(isinstance(each, Midi) for each in outputs):
            raise CancelledGenerationError

    with pytest.raises(CancelledGenerationError):
        list(engine.generate(RECIPE, on_step, outputs.append))
    assert [type(each) for each in outputs] == [Stage, Stage, Stage, Music, Midi]


def test_stages_follow_each_other_within_the_time_of_the_request(engine: BatchingEngine) -> None:
    began = time.time_ns()
    made = Made(engine, RECIPE)
    prefill, decode, codec = (each for each in made.outputs if isinstance(each, Stage))
    assert [prefill.name, decode.name, codec.name] == ["prefill", "decode", "codec"]
    assert began <= prefill.began <= prefill.ended == decode.began < decode.ended <= codec.ended <= time.time_ns()
    assert 0 < codec.busy <= (codec.ended - codec.began) / 1e9


def test_a_cancelled_job_tells_the_stages_that_it_was_in(engine: BatchingEngine) -> None:
    outputs: list[EngineOutput] = []
    chunks = engine.generate(RECIPE, _pass, outputs.append)
    next(iter(chunks))
    chunks.close()  # type: ignore[attr-defined]
    assert [each.name for each in outputs if isinstance(each, Stage)] == ["prefill", "decode", "codec"]


def test_warnings_come_before_the_audio(engine: BatchingEngine) -> None:
    outputs: list[EngineOutput] = []
    chunks = engine.generate(
        replace(RECIPE, prompt="happy piano in 11/8", duration=1.0, outputs=()), _pass, outputs.append
    )
    for _ in chunks:
        assert outputs == [Warn("This model cannot play in 11/8: the music is in 4/4.")]


def test_prompt_sets_the_tempo_in_a_shared_batch(engine: BatchingEngine) -> None:
    prompts = "808, 90 bpm", "61 BPM in Bm, 3/4"
    recipes = [replace(RECIPE, prompt=prompt, duration=3.0, outputs=("midi",)) for prompt in prompts]
    alone = [Made(engine, recipe) for recipe in recipes]
    with ThreadPoolExecutor() as pool:
        together = list(pool.map(lambda recipe: Made(engine, recipe), recipes))
    for one, shared, bpm in zip(alone, together, (90, 61), strict=True):
        assert np.array_equal(one.audio, shared.audio)
        (midi,) = one.midi
        tempos = [message[3:] for _, message in read(midi.file)[0] if message[:2] == b"\xff\x51"]
        assert [int.from_bytes(tempo) for tempo in tempos] == [round(60_000_000 / bpm)]


@pytest.mark.parametrize(("bpm", "duration"), [(240.0, 40.0), (92.5, 3.0), (40.0, 3.0)])
def test_the_recipes_tempo_is_exact_and_its_audio_complete(engine: BatchingEngine, bpm: float, duration: float) -> None:
    made = Made(engine, replace(RECIPE, bpm=bpm, duration=duration, outputs=("midi",)))
    assert len(made.audio) == duration * RATE
    assert np.abs(made.audio[-RATE:]).max() > 0.05
    (midi,) = made.midi
    tempos = [message[3:] for _, message in read(midi.file)[0] if message[:2] == b"\xff\x51"]
    assert [int.from_bytes(tempo) for tempo in tempos] == [round(60_000_000 / bpm)]
    assert made.warnings == []


def test_fields_of_the_recipe_come_before_the_prompts_words(engine: BatchingEngine) -> None:
    recipe = replace(RECIPE, prompt="90 bpm in A minor, 4/4", duration=1.0, outputs=("midi",))
    made = Made(engine, replace(recipe, bpm=124.0, key="C major", meter="3/4"))
    assert made.warnings == [
        "The prompt says 90 BPM, but the request's bpm is 124: the music follows the request.",
        "The prompt says 4/4, but the request's meter is 3/4: the music follows the request.",
        "The prompt says A minor, but the request's key is C major: the music follows the request.",
    ]
    signs = [message for _, message in read(made.midi[0].file)[0]]
    assert b"\xff\x58\x04\x03\x02\x18\x08" in signs
    assert b"\xff\x59\x02\x00\x00" in signs
    assert Made(engine, replace(recipe, bpm=90.0, key="A minor", meter="4/4")).warnings == []


@pytest.mark.parametrize(("bpm", "meter"), [(97.3, "4/4"), (240.0, "3/4")])
def test_a_loop_is_its_bars_and_then_what_still_sounds(engine: BatchingEngine, bpm: float, meter: str) -> None:
    seconds = float(4 * bar_seconds(bpm, meter))
    recipe = replace(RECIPE, bars=4, bpm=bpm, meter=meter, duration=seconds)
    plain, loop = Made(engine, recipe), Made(engine, replace(recipe, loop=True))
    length = grid_samples(4, bpm, meter, RATE)
    assert len(plain.audio) == length
    np.testing.assert_array_equal(loop.audio[:length], plain.audio)
    assert RATE / 4 <= len(loop.audio) - length <= 12 * RATE
    assert np.abs(loop.audio[-100:]).max() < 10 ** (-90 / 20)
    np.testing.assert_allclose(np.sum(list(loop.stems.values()), axis=0), loop.audio, rtol=0, atol=1e-5)
    assert plain.midi == loop.midi
    ends = {track[-1][0] for track in read(loop.midi[0].file)[1:]}
    assert max(ends) <= 4 * 480 * int(meter[0])
    (music,) = [each for each in loop.outputs if isinstance(each, Music)]
    assert (music.bpm, music.meter, music.bars) == (bpm, meter, 4)
    assert music.sections[0].start == 0
    reading = read_prompt(recipe.prompt)
    assert (music.understood, music.ignored) == (reading.understood, reading.ignored)


def test_the_first_beat_is_on_the_first_sample(engine: BatchingEngine) -> None:
    recipe = replace(RECIPE, prompt="happy piano, drums and bass guitar", bars=2, bpm=120.0, meter="4/4", duration=4.0)
    for seed in range(3):
        audio = Made(engine, replace(recipe, seed=seed, outputs=())).audio
        assert np.flatnonzero(np.abs(audio).max(axis=1) > 1e-4)[0] <= RATE / 1000


def test_a_kept_job_is_described_as_far_as_it_goes(engine: BatchingEngine) -> None:
    kept = Made(engine, replace(RECIPE, bars=32, bpm=120.0, meter="4/4", duration=64.0), KeptGenerationError)
    (music,) = [each for each in kept.outputs if isinstance(each, Music)]
    seconds = len(kept.audio) / RATE
    assert seconds < 60
    assert (music.bpm, music.bars) == (120.0, int(seconds / 2) if len(kept.audio) % (2 * RATE) == 0 else None)
    assert all(section.start < seconds for section in music.sections)
    assert {each.name for each in music.instruments} >= {"piano", "bass guitar"}


def _pass(done: int, total: int) -> None:
    pass


def test_what_a_negative_prompt_names_is_not_played(engine: BatchingEngine) -> None:
    avoided = replace(RECIPE, negative_prompt="drums, electric guitar")
    music = next(each for each in Made(engine, avoided).outputs if isinstance(each, Music))
    assert not {"drums", "electric guitar"} & {each.name for each in music.instruments}
    assert "no drums" in {each.meaning for each in music.understood or ()}
