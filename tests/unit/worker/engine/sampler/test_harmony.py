import numpy as np
import pytest

from shared.prompt.reader import read_prompt
from tests.unit.worker.engine.sampler.drawing import draw, random_wish
from training.evaluation.midi_score import MAJOR, MINOR
from worker.engine.sampler.codes import decode
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.degrees import Degree, progression
from worker.engine.sampler.harmony import CYCLE
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.plan import Plan, make_plan
from worker.engine.sampler.repertoire import Idiom, Mood, repertoire
from worker.engine.sampler.score import Chord, Note, Quality, Score
from worker.engine.sampler.wish import Wish

BARS = 14
PROMPT = "piano, strings and a bass guitar, 120 bpm, in D minor"


def planned_and_played(prompt: str, seed: int, window: int | None = None, level: int = 2) -> tuple[Plan, Score]:
    wish = Wish(read_prompt(prompt), seconds=2.0 * BARS, seed=seed)
    limits = make_count_in(wish, level).limits
    return make_plan(wish, level), decode(draw([random_wish(seed)], 16 * (BARS + 1), [limits], window, level)[0])


def chord_of(plan: Plan, bar: int) -> Degree:
    return plan.progression[bar % len(plan.progression)]


def chords(score: Score, stream: Stream) -> list[tuple[int, Chord]]:
    return [(step, event) for step, event in sorted(score.events[stream].items()) if isinstance(event, Chord)]


@pytest.mark.parametrize("window", [None, 80])
@pytest.mark.parametrize("stream", [Stream.CHORDS, Stream.PAD])
def test_chords_are_those_of_the_bar_or_come_early(stream: Stream, window: int | None) -> None:
    plan, score = planned_and_played(PROMPT, 3, window)
    found = chords(score, stream)
    assert len({step // 16 for step, _ in found}) == BARS
    for step, chord in found:
        bar, place = divmod(step, 16)
        able = {chord_of(plan, bar)} | ({chord_of(plan, bar + 1)} if place >= 14 else set())
        assert Degree((chord.root - plan.key.tonic) % 12, chord.quality) in able


@pytest.mark.parametrize("seed", range(3))
def test_no_other_chord_sounds_on_into_a_bar(seed: int) -> None:
    plan, score = planned_and_played(PROMPT, seed)
    for stream in (Stream.CHORDS, Stream.PAD):
        events = score.events[stream]
        for bar in range(1, BARS):
            sounding = events[max(step for step in events if step <= 16 * bar)]
            if isinstance(sounding, Chord):
                assert Degree((sounding.root - plan.key.tonic) % 12, sounding.quality) == chord_of(plan, bar)


def test_a_bass_begins_a_bar_on_the_root_and_walks_on() -> None:
    plan, score = planned_and_played(PROMPT, 1)
    notes = [(step, each) for step, each in score.events[Stream.BASS].items() if isinstance(each, Note)]
    first = {step // 16: (note.pitch - plan.key.tonic) % 12 for step, note in notes if step % 16 == 0}
    assert first == {bar: chord_of(plan, bar).semitones for bar in first}
    assert len(first) > BARS / 2
    assert len({note.pitch % 12 for step, note in notes if step // 16 == 0}) > 2


def test_a_pad_over_power_chords_has_the_thirds_of_the_key() -> None:
    plan, score = planned_and_played("metal with a choir pad and distorted guitars, 120 bpm, in E minor", 0)
    assert {chord.quality for _, chord in chords(score, Stream.CHORDS)} == {Quality.POWER}
    found = {(chord.root - plan.key.tonic) % 12: chord.quality for _, chord in chords(score, Stream.PAD)}
    assert found[0] is Quality.MINOR
    assert all(quality in (Quality.MINOR, Quality.MAJOR) for quality in found.values())


def test_a_mood_colours_the_chords_of_a_genre_that_takes_it() -> None:
    def roots(prompt: str) -> set[tuple[Degree, ...]]:
        return {make_plan(Wish(read_prompt(prompt), seed=seed), 2).progression for seed in range(30)}

    def moody(mood: str) -> set[tuple[Degree, ...]]:
        return {tuple(chord for (chord,) in progression(text)) for text in repertoire().moods[mood].in_minor}

    dark = moody("dark")
    assert dark <= roots("dark house, in D minor")
    assert not dark & roots("dark jazz, in D minor")


@pytest.mark.parametrize("level", [1, 2])
def test_a_level_gets_only_chords_that_it_has(level: int) -> None:
    later = {Quality.DIMINISHED, Quality.SUSPENDED}
    found = {
        chord.quality
        for genre in ("string quartet", "trance in C major")
        for seed in range(30)
        for chord in make_plan(Wish(read_prompt(genre), seed=seed), level).progression
    }
    assert later <= found if level > 1 else not later & found


def test_every_progression_suggests_its_own_key_and_fits_into_the_cycle() -> None:
    """By the method of Krumhansl and Schmuckler, of chords with their roots in the bass."""
    owners: list[Idiom | Mood] = [*repertoire().genres.values(), *repertoire().moods.values()]
    known = [(text, minor) for each in owners for minor in (False, True) for text in (each.major, each.in_minor)[minor]]
    for text, minor in known:
        bars = [chord for (chord,) in progression(text)]
        assert CYCLE % len(bars) == 0
        weights = np.zeros(12)
        for chord in bars:
            weights[list(chord.tones)] += 2
            weights[chord.semitones] += 1
        fits = {
            (tonic, mode): np.corrcoef(np.roll(profile, tonic), weights)[0, 1]
            for mode, profile in ((False, MAJOR), (True, MINOR))
            for tonic in range(12)
        }
        best, second = sorted(fits, key=lambda key: fits[key])[:-3:-1]
        assert best == (0, minor), text
        assert fits[best] - fits[second] > 0.03, text
