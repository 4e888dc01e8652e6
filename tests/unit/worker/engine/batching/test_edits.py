"""Children of a take: what they keep of it, in codes and in samples."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from msgspec.structs import replace

from shared.edits import Edit
from shared.files import OUTPUT_KINDS
from shared.messages import Recipe
from shared.music import Music, bar_seconds
from tests.sampler_checkpoint import write_sampler_checkpoint
from tests.unit.worker.engine.batching.test_outputs import Made
from tests.unit.worker.engine.sampler.test_midi import read
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import CancelledGenerationError, EngineSettings, KeptGenerationError, Samples, Stem, Warn
from worker.engine.sampler.codes import Codes
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.stored_score import OldScore

BARS, BPM, RATE, STEPS = 8, 127.0, 32_000, 16
BAR = float(bar_seconds(BPM))
RECIPE = Recipe(
    model="tiny", prompt="happy piano", duration=BARS * BAR, bars=BARS, bpm=BPM, meter="4/4", seed=1, cfg_coef=1.0
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchingEngine]:
    folder = write_sampler_checkpoint(tmp_path_factory.mktemp("sampler") / "tiny")
    settings = EngineSettings(engine="batching", model=str(folder), device="cpu", max_slots=3, max_duration=30.0)
    engine = load(settings, lambda _: None)
    yield engine
    engine.close()


class Take(Made):
    """What the engine made of a recipe."""

    @property
    def music(self) -> Music:
        return next(each for each in self.outputs if isinstance(each, Music))

    @property
    def composed(self) -> tuple[float, float, float]:
        """From when to when it was composed, and how long that dies away."""
        found = self.music.composed
        assert found is not None
        assert found.from_seconds is not None
        assert found.to_seconds is not None
        assert found.tail_seconds is not None
        return found.from_seconds, found.to_seconds, found.tail_seconds

    @property
    def codes(self) -> Codes:
        assert self.music.score is not None
        return OldScore.read(self.music.score).codes


@pytest.fixture(scope="module")
def parent(engine: BatchingEngine) -> Take:
    return Take(engine, replace(RECIPE, outputs=OUTPUT_KINDS))


def edited(parent: Take, recipe: Recipe = RECIPE, **fields: object) -> Recipe:
    edit = Edit(parent="gen_000000000001", score=parent.music.score, **fields)  # type: ignore[arg-type]
    return replace(recipe, seed=5, edit=edit)


def longer(bars: int) -> Recipe:
    return replace(RECIPE, bars=BARS + bars, duration=(BARS + bars) * BAR)


def position(bar: int) -> int:
    """The sample at which a bar begins, from 0."""
    return round(bar * BAR * RATE)


def equal(left: Samples, right: Samples) -> bool:
    return left.shape == right.shape and bool((left == right).all())


def test_a_take_stores_its_score(parent: Take) -> None:
    score = parent.music.score
    assert score is not None
    assert (score.tempo, score.samples, score.first_step) == ("127", len(parent.audio), 0)
    assert parent.codes.shape == (8, STEPS * (1 + BARS))
    assert "piano" in score.caption


def test_outside_of_replaced_bars_codes_and_samples_are_the_parents(engine: BatchingEngine, parent: Take) -> None:
    child = Take(engine, edited(parent, kind="replace", from_bar=3, to_bar=4))
    outside = np.ones(parent.codes.shape, bool)
    outside[1:, STEPS * 3 : STEPS * 5] = False
    assert (child.codes[outside] == parent.codes[outside]).all()
    assert (child.codes != parent.codes).any()
    begin, end, fading = child.composed
    assert (begin, end) == pytest.approx((2 * BAR, 4 * BAR), abs=1e-4)
    assert fading < 3
    tail = round((end + fading) * RATE)
    assert equal(child.audio[: position(2)], parent.audio[: position(2)])
    assert equal(child.audio[tail:], parent.audio[tail:])
    assert not equal(child.audio[position(2) : position(4)], parent.audio[position(2) : position(4)])


def test_the_candidate_is_chosen_after_which_the_parents_bars_are_likeliest(
    engine: BatchingEngine, parent: Take
) -> None:
    composed = Take(engine, edited(parent, kind="replace", from_bar=3, to_bar=4)).music.composed
    assert composed is not None
    assert composed.likelihoods is not None
    assert len(composed.likelihoods) == composed.candidates == 4
    assert composed.likelihoods[composed.chosen - 1] == max(composed.likelihoods) < 0


def test_only_the_named_instrument_is_composed(engine: BatchingEngine, parent: Take) -> None:
    child = Take(engine, edited(parent, kind="replace", from_bar=1, to_bar=8, streams=("drums",)))
    differing = (child.codes != parent.codes).any(1)
    assert set(np.flatnonzero(differing)) == {Stream.DRUMS}


def test_stems_of_a_child_sum_to_it_and_are_the_parents_after_the_tail(engine: BatchingEngine, parent: Take) -> None:
    recipe = replace(RECIPE, outputs=OUTPUT_KINDS)
    child = Take(engine, edited(parent, recipe, kind="replace", from_bar=3, to_bar=4))
    assert np.sum(list(child.stems.values()), axis=0) == pytest.approx(child.audio, abs=1e-5)
    _, end, fading = child.composed
    tail = round((end + fading) * RATE)
    for name in child.stems.keys() & parent.stems.keys():
        assert equal(child.stems[name][tail:], parent.stems[name][tail:])
    assert len(read(child.midi[0].file)) == len(read(parent.midi[0].file))


def test_added_bars_follow_the_old_part(engine: BatchingEngine, parent: Take) -> None:
    child = Take(engine, edited(parent, longer(4), kind="extend", at="end"))
    assert len(child.audio) == position(12)
    assert (child.codes[:, : parent.codes.shape[1]] == parent.codes).all()
    # Its last note may be released within its last sample.
    assert equal(child.audio[: position(8) - 1], parent.audio[: position(8) - 1])
    assert np.abs(child.audio[position(9) :]).max() > 0.01


def test_the_old_part_sounds_as_before_after_bars_in_front(engine: BatchingEngine, parent: Take) -> None:
    child = Take(engine, edited(parent, longer(2), kind="extend", at="start"))
    assert (child.codes[:, STEPS * 3 :] == parent.codes[:, STEPS:]).all()
    begin, end, fading = child.composed
    assert (begin, end) == pytest.approx((0.0, 2 * BAR), abs=1e-4)
    assert fading < 3
    joint, tail = position(2), round(fading * RATE)
    length = len(child.audio) - joint - 1
    assert equal(child.audio[joint:][tail:length], parent.audio[tail:length])


def test_a_child_of_a_child_in_front_keeps_it_too(engine: BatchingEngine, parent: Take) -> None:
    child = Take(engine, edited(parent, longer(2), kind="extend", at="start"))
    grandchild = Take(engine, edited(child, longer(2), kind="replace", from_bar=5, to_bar=5, streams=("drums",)))
    # A child is rendered again, so where its parent's samples took over, it differs by what they left out.
    assert grandchild.audio[: position(4)] == pytest.approx(child.audio[: position(4)], abs=2e-6)
    assert (grandchild.codes[: Stream.DRUMS] == child.codes[: Stream.DRUMS]).all()


def test_a_variation_of_no_strength_is_the_same_score(engine: BatchingEngine, parent: Take) -> None:
    """So stems are made afterwards, without generating again."""
    child = Take(engine, edited(parent, replace(RECIPE, outputs=OUTPUT_KINDS), kind="vary", strength=0.0))
    assert equal(child.audio, parent.audio)
    assert child.midi == parent.midi
    assert child.stems.keys() == parent.stems.keys()


def test_a_variation_keeps_the_rest(engine: BatchingEngine, parent: Take) -> None:
    child = Take(engine, edited(parent, kind="vary", strength=0.3))
    cells = (child.codes != parent.codes)[:, STEPS:].reshape(8, BARS, STEPS).any(2)
    assert 0 < cells.sum() <= round(0.3 * 7 * BARS)
    assert not cells[Stream.CONDUCTOR].any()


def test_a_prompt_describes_the_new_bars(engine: BatchingEngine, parent: Take) -> None:
    child = Take(engine, edited(parent, kind="replace", from_bar=3, to_bar=4, prompt="no drums, banjo, 90 bpm"))
    assert not (child.codes[Stream.DRUMS, STEPS * 3 : STEPS * 5] > 1).any()
    assert child.warnings == [
        "The take has no banjo, and its bars keep its instruments.",
        "The bars keep the take's tempo, 127 BPM.",
    ]


def test_the_same_recipe_gives_the_same_child_in_any_company(engine: BatchingEngine, parent: Take) -> None:
    recipe = edited(parent, kind="replace", from_bar=3, to_bar=4)
    alone = Take(engine, recipe)
    with ThreadPoolExecutor() as pool:
        first, _, third = pool.map(lambda each: Take(engine, each), (recipe, replace(RECIPE, seed=9), recipe))
    assert equal(first.audio, alone.audio)
    assert equal(third.audio, alone.audio)


def test_a_loop_stays_one(engine: BatchingEngine) -> None:
    loop = replace(RECIPE, loop=True)
    parent = Take(engine, loop)
    child = Take(engine, edited(parent, loop, kind="replace", from_bar=3, to_bar=4, streams=("drums",)))
    assert len(child.audio) > position(8)
    assert equal(child.audio[: position(2)], parent.audio[: position(2)])


def test_a_child_that_is_stopped_while_it_is_composed_has_no_audio(engine: BatchingEngine, parent: Take) -> None:
    def keep(done: int, total: int) -> None:
        raise KeptGenerationError

    recipe, outputs = edited(parent, kind="replace", from_bar=3, to_bar=4), list[object]()
    assert list(engine.generate(recipe, keep, outputs.append)) == []
    assert outputs == []


def test_a_cancelled_child_frees_its_slots(engine: BatchingEngine, parent: Take) -> None:
    def cancel(done: int, total: int) -> None:
        raise CancelledGenerationError

    recipe = edited(parent, kind="replace", from_bar=3, to_bar=4)
    with pytest.raises(CancelledGenerationError):
        list(engine.generate(recipe, cancel))
    assert len(Take(engine, recipe).audio) == position(8)


def stems_of(take: Take) -> dict[str, Samples]:
    """By stream."""
    found = [each for each in take.outputs if isinstance(each, Stem)]
    return {each.instrument.stream: each.samples for each in found if each.instrument}


def test_a_stream_with_another_program_changes_alone(engine: BatchingEngine, parent: Take) -> None:
    recipe = edited(parent, replace(RECIPE, outputs=OUTPUT_KINDS), kind="play", programs={"lead": 56})
    child, before = Take(engine, recipe), stems_of(parent)
    after = stems_of(child)
    assert after.keys() == before.keys()
    assert {stream for stream in after if not equal(after[stream], before[stream])} == {"lead"}
    assert (child.codes[1:] == parent.codes[1:]).all()
    assert {each.name for each in child.music.instruments if each.stream == "lead"} == {"trumpet"}
    # Its score has the new player, so children of it have it, too.
    again = Take(engine, edited(child, kind="play"))
    assert equal(again.audio, child.audio)


def test_a_program_without_a_player_is_played_by_the_nearest(engine: BatchingEngine, parent: Take) -> None:
    child = Take(engine, edited(parent, kind="play", programs={"lead": 19}))
    assert {each.name for each in child.music.instruments if each.stream == "lead"} == {"harmonica"}
    warnings = [each.text for each in child.outputs if isinstance(each, Warn)]
    assert warnings == ["Church Organ is played by the nearest sound of the lead: harmonica."]


def test_a_solo_is_the_stem(engine: BatchingEngine, parent: Take) -> None:
    recipe = edited(parent, replace(RECIPE, outputs=OUTPUT_KINDS), kind="play", streams=("bass",))
    solo = Take(engine, recipe)
    assert np.abs(solo.audio - stems_of(parent)["bass"]).max() < 1e-6
    assert {each.stream for each in solo.music.instruments} == {"bass"}
    assert list(stems_of(solo)) == ["bass"]
    assert solo.music.score is None
