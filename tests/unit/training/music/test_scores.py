"""Every genre in every mood is music by its own rules."""

from collections.abc import Mapping
from itertools import pairwise

import pytest

from gateway.prompts import VOCABULARY
from tests.unit.training.music.specs import written
from training.music.harmony import BLUES, chord_scale
from training.music.plan import PiecePlan
from training.music.spec import Spec
from worker.engine.sampler.instruments import HIT_STREAMS, Stream
from worker.engine.sampler.score import Event, Note, Score, Section, Stop

GENRES = [genre.name for genre in VOCABULARY.genres]
MELODIC = tuple(stream for stream in Stream if stream is not Stream.CONDUCTOR and stream not in HIT_STREAMS)


@pytest.fixture(scope="module", params=GENRES)
def scores(request: pytest.FixtureRequest) -> list[tuple[PiecePlan, Score]]:
    return [
        written(Spec(genre=request.param, mood=mood, beats=beats), seed)
        for mood in (None, *VOCABULARY.moods)
        for seed, beats in ((1, None), (2, 3))
    ]


def test_notes_are_of_the_chord_or_its_scale(scores: list[tuple[PiecePlan, Score]]) -> None:
    for plan, score in scores:
        for stream in (Stream.BASS, Stream.ARPEGGIO, Stream.LEAD):
            for step, event in score.events.get(stream, {}).items():
                if isinstance(event, Note) and step < plan.end_step:
                    assert (event.pitch - plan.header.key) % 12 in _allowed(plan, stream, step)


def _allowed(plan: PiecePlan, stream: Stream, step: int) -> set[int]:
    """The chord's scale; blue notes where the style has them; and in the bass what leads to the next chord."""
    bar = plan.bars[step // plan.header.steps]
    following = plan.bars[bar.index + 1].chords[0][1] if bar.index + 1 < len(plan.bars) else plan.tonic
    blue = set(BLUES) if plan.style.melody == "blues" and stream is Stream.LEAD else set()
    approach = {(following.semitones - 1) % 12} if stream is Stream.BASS else set()
    return {*chord_scale(bar.chord_at(step - bar.start), plan.header.minor), *blue, *approach}


def test_the_bass_has_the_root_where_bars_begin(scores: list[tuple[PiecePlan, Score]]) -> None:
    roots = [
        (event.pitch - plan.header.key) % 12 == bar.chords[0][1].semitones
        for plan, score in scores
        for bar in plan.bars
        if isinstance(event := score.events.get(Stream.BASS, {}).get(bar.start), Note)
    ]
    assert sum(roots) >= 0.9 * len(roots)


def test_no_bar_is_silent(scores: list[tuple[PiecePlan, Score]]) -> None:
    for _, score in scores:
        steps = score.header.steps
        starts = {
            start
            for stream, row in score.events.items()
            for first, last in _sounding(stream, row, score.steps)
            for start in range(first // steps, (last - 1) // steps + 1)
        }
        assert set(range(len(score.sections) - 1)) <= starts


def test_nothing_hangs_on(scores: list[tuple[PiecePlan, Score]]) -> None:
    for plan, score in scores:
        for stream in MELODIC:
            for first, last in _sounding(stream, score.events.get(stream, {}), plan.end_step):
                assert last - first <= 2 * score.header.steps


def test_streams_are_silent_in_sections_without_them(scores: list[tuple[PiecePlan, Score]]) -> None:
    for plan, score in scores:
        for stream in MELODIC:
            sounding = _sounding(stream, score.events.get(stream, {}), plan.end_step)
            for bar in plan.bars:
                if stream not in bar.streams:
                    assert not any(
                        first < bar.start + plan.header.steps and bar.start < last for first, last in sounding
                    )


def _sounding(stream: Stream, row: Mapping[int, Event], end: int) -> list[tuple[int, int]]:
    """From when to when each event sounds; a hit is taken for a step."""
    steps = sorted(row)
    ends = dict(pairwise([*steps, end]))
    return [
        (step, step + 1 if stream in HIT_STREAMS else max(step + 1, ends[step]))
        for step in steps
        if not isinstance(row[step], Stop)
    ]


def test_pieces_end(scores: list[tuple[PiecePlan, Score]]) -> None:
    for plan, score in scores:
        assert score.sections[-1] is Section.END
        assert score.end_step == plan.end_step
        assert score.sections.count(Section.END) == 1


def test_fills_are_where_drums_are(scores: list[tuple[PiecePlan, Score]]) -> None:
    for plan, score in scores:
        fills = [bar for bar in plan.bars if score.sections[bar.index] is Section.FILL]
        assert all(Stream.DRUMS in bar.streams and bar.is_last for bar in fills)


def test_a_genre_has_tempos_of_its_own(scores: list[tuple[PiecePlan, Score]]) -> None:
    for plan, _ in scores:
        low, high = plan.style.bpm
        assert low <= plan.header.bpm <= high


@pytest.mark.parametrize("mood", ["happy", "sad", "dark", "triumphant"])
def test_moods_choose_the_mode(mood: str) -> None:
    minor = [written(Spec(mood=mood), seed)[0].header.minor for seed in range(60)]
    assert sum(minor) > 50 if mood in ("sad", "dark") else sum(minor) < 12


def test_an_energetic_mood_is_faster_and_busier_than_a_peaceful_one() -> None:
    def busy(mood: str) -> tuple[float, float]:
        found = [written(Spec(genre=genre, mood=mood), 3) for genre in GENRES]
        events = sum(len(row) for _, score in found for row in score.events.values())
        return sum(plan.header.bpm for plan, _ in found), events / sum(score.steps for _, score in found)

    assert all(
        energetic > 1.1 * peaceful for energetic, peaceful in zip(busy("energetic"), busy("peaceful"), strict=True)
    )
