"""What the engine makes of a score of notes: given notes stay, whatever its model composes to them."""

import io
from collections.abc import Iterator
from typing import Any

import mido
import numpy as np
import pretty_midi
import pytest
from msgspec.structs import replace

from gateway.uploads.midi_reader import read_midi
from shared.files import OUTPUT_KINDS
from shared.messages import Recipe
from shared.music import Music, bar_seconds
from shared.note_score import NoteScore
from shared.played_score import SCORE_PROMPT, PlayedScore, ScoreAction
from tests.sampler_checkpoint import write_sampler_checkpoint
from tests.unit.worker.engine.sampler.note_scores import chords, drums, melody, part, score
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import CancelledGenerationError, EngineSettings, KeptGenerationError, Midi, Stem, Warn

BPM, BARS, RATE = 120.0, 4, 32_000
BAR = float(bar_seconds(BPM))
# Off the grid as well.
SONG = score(melody(2), chords(2), part((0.37, 1.91, 50), (5.2, 5.21, 51), channel=4, name="off"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchingEngine]:
    folder = write_sampler_checkpoint(tmp_path_factory.mktemp("sampler") / "tiny")
    settings = EngineSettings(engine="batching", model=str(folder), device="cpu", max_slots=4, max_duration=30.0)
    engine = load(settings, lambda _: None)
    yield engine
    engine.close()


def recipe(action: ScoreAction, prompt: str = SCORE_PROMPT, seed: int = 1, **fields: Any) -> Recipe:
    return Recipe(
        model="tiny",
        prompt=prompt,
        duration=BARS * BAR,
        bars=BARS,
        bpm=BPM,
        meter="4/4",
        seed=seed,
        cfg_coef=1.0,
        outputs=OUTPUT_KINDS,
        score=PlayedScore(sha256="0" * 64, action=action, **fields),
    )


class Made:
    """What the engine makes of a score."""

    def __init__(self, engine: BatchingEngine, asked: Recipe, notes: NoteScore = SONG) -> None:
        outputs: list[Any] = []
        chunks = engine.generate(asked, lambda done, total: None, outputs.append, score=notes)
        self.audio = np.concatenate(list(chunks))
        self.warnings = [each.text for each in outputs if isinstance(each, Warn)]
        self.stems = {each.name: each.samples for each in outputs if isinstance(each, Stem)}
        (self.music,) = [each for each in outputs if isinstance(each, Music)]
        (self.midi,) = [each.file for each in outputs if isinstance(each, Midi)]

    @property
    def score(self) -> NoteScore:
        return read_midi(mido.MidiFile(file=io.BytesIO(self.midi)))

    @property
    def heard(self) -> list[pretty_midi.Instrument]:
        """The tracks as another reader reads them."""
        return list(pretty_midi.PrettyMIDI(io.BytesIO(self.midi)).instruments)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("prompt", ["house", "double bass and drums", "with harp"])
def test_an_accompaniment_leaves_the_given_notes_and_their_samples(
    engine: BatchingEngine, prompt: str, seed: int
) -> None:
    plain = Made(engine, recipe("play"))
    made = Made(engine, recipe("accompany", prompt, seed))
    given = len(SONG.parts)
    assert [each.notes for each in made.score.parts[:given]] == [each.notes for each in SONG.parts]
    assert len(made.score.parts) > given
    for name in plain.stems:
        assert np.array_equal(made.stems[name], plain.stems[name])
    assert np.abs(sum(made.stems.values()) - made.audio).max() < 1e-5
    # On the sixteenths of 120 BPM.
    begins = [note.start for each in made.heard[given:] for note in each.notes]
    assert begins
    assert np.abs(np.array(begins) / 0.125 - np.round(np.array(begins) / 0.125)).max() < 1e-6


def test_what_follows_begins_at_the_joint(engine: BatchingEngine) -> None:
    plain = Made(engine, recipe("play"))
    made = Made(engine, recipe("continue"))
    joint = round(2 * BAR * RATE)
    assert np.array_equal(made.audio[:joint], plain.audio[:joint])
    for before, after in zip(SONG.parts, made.score.parts, strict=True):
        assert after.notes[: len(before.notes)] == before.notes
        assert all(note.start >= 2 * 1920 for note in after.notes[len(before.notes) :])
        assert (after.program, after.channel) == (before.program, before.channel)
    assert sum(len(each.notes) for each in made.score.parts) > sum(len(each.notes) for each in SONG.parts)
    assert made.music.composed is not None
    assert made.music.composed.from_seconds == 2 * BAR
    assert (made.music.bars, made.music.bpm, made.music.key) == (BARS, BPM, "A minor")


def test_new_instruments_join_what_follows(engine: BatchingEngine) -> None:
    made = Made(engine, recipe("continue", "with drums"))
    assert any(each.is_drum for each in made.heard)
    assert all(note.start >= 2 * BAR - 1e-6 for each in made.heard if each.is_drum for note in each.notes)


def test_drums_go_on_as_drums(engine: BatchingEngine) -> None:
    made = Made(engine, recipe("continue"), score(drums(2)))
    (kit,) = made.heard
    assert kit.is_drum
    assert any(note.start >= 2 * BAR for note in kit.notes)


def test_the_same_seed_composes_the_same(engine: BatchingEngine) -> None:
    first, again = (Made(engine, recipe("accompany", "house", 5)) for _ in range(2))
    assert first.midi == again.midi
    assert Made(engine, recipe("accompany", "house", 6)).midi != first.midi


def test_the_candidate_with_the_likeliest_given_notes_is_taken(engine: BatchingEngine) -> None:
    composed = Made(engine, recipe("accompany", "house")).music.composed
    assert composed is not None
    assert composed.likelihoods is not None
    assert len(composed.likelihoods) == composed.candidates > 1
    assert composed.likelihoods[composed.chosen - 1] == max(composed.likelihoods)
    assert len(set(composed.likelihoods)) > 1


def test_a_quartet_has_the_notes_of_the_score(engine: BatchingEngine) -> None:
    made = Made(engine, recipe("orchestrate", "string quartet"), score(melody(2), chords(2)))
    assert {each.name for each in made.music.instruments} <= {"violin", "strings", "strings 2", "cello"}
    ours = sorted((round(n.start, 4), n.pitch % 12) for each in made.heard for n in each.notes)
    given = sorted((n.start / 960, n.key % 12) for each in (melody(2), chords(2)) for n in each.notes)
    assert ours == given
    assert made.music.understood


@pytest.mark.parametrize("action", ["accompany", "continue"])
def test_a_job_that_is_cancelled_while_it_composes_ends(engine: BatchingEngine, action: ScoreAction) -> None:
    def stop(done: int, total: int) -> None:
        raise CancelledGenerationError

    def keep(done: int, total: int) -> None:
        raise KeptGenerationError

    with pytest.raises(CancelledGenerationError):
        list(engine.generate(recipe(action), stop, score=SONG))
    assert list(engine.generate(recipe(action), keep, score=SONG)) == []


def test_a_score_that_is_longer_than_the_worker_allows_says_so(engine: BatchingEngine) -> None:
    long = replace(recipe("continue"), bars=100, duration=100 * BAR)
    with pytest.raises(ValueError, match="MAX_DURATION"):
        list(engine.generate(long, lambda done, total: None, score=SONG))
