"""Pieces of the second level of scores: more genres, meters, velocities, build-ups; and what they must keep."""

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.unit.training.music.specs import written
from training.music import Piece, make_piece
from training.music.form import Bar
from training.music.harmony import chord_scale
from training.music.plan import PiecePlan
from training.music.random_spec import genres
from training.music.spec import Spec
from training.music.style import Style, styles
from worker.engine.sampler.codes import decode, encode, readable
from worker.engine.sampler.conductor import codes_at
from worker.engine.sampler.instruments import HIT_STREAMS, Stream
from worker.engine.sampler.score import METERS, Chord, Event, Hits, Note, Score, Section, Stop

NEW = [name for name, style in styles(2).items() if style.level == 2]


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    return [make_piece(seed, level=2) for seed in range(700)]


def test_every_piece_is_the_same_when_decoded(pieces: list[Piece]) -> None:
    for piece in pieces:
        assert decode(encode(piece.score)) == piece.score


def test_the_first_level_is_what_the_shipped_checkpoint_knows() -> None:
    known = {code for place in range(16) for code in codes_at(place, 1)}
    for seed in range(200):
        codes = encode(make_piece(seed).score)[:, :300]
        assert set(codes[Stream.CONDUCTOR].tolist()) <= known
        assert all(readable(1)[row - 1, codes[row]].all() for row in range(1, 8))


def test_genres_meters_and_velocities_all_occur(pieces: list[Piece]) -> None:
    assert {piece.spec.genre for piece in pieces} == {None, *genres(2)}
    assert {(piece.score.header.beats, piece.score.header.unit) for piece in pieces} == set(METERS)
    events = [event for piece in pieces for row in piece.score.events.values() for event in row.values()]
    assert {event.velocity for event in events if isinstance(event, Note)} == set(range(6))
    assert {event.velocity for event in events if isinstance(event, Chord)} == set(range(4))
    assert {event.roll for event in events if isinstance(event, Hits)} == {1, 2, 3, 4}
    assert Section.BUILD in {section for piece in pieces for section in piece.score.sections}


def test_captions_name_the_meter_and_the_genre(pieces: list[Piece]) -> None:
    for piece in pieces:
        spec, caption = piece.spec, piece.caption.lower()
        if spec.beats and (spec.beats, spec.unit) not in ((3, 4), (4, 4)):
            words = {"6": "six", "12": "twelve", "5": "five", "7": "seven"}
            name = words[str(spec.beats)]
            assert f"{spec.beats}/{spec.unit}" in caption or name in caption or "compound" in caption, caption
    named = [piece for piece in pieces if piece.spec.genre in NEW]
    said = [any(name in piece.caption.lower() for name in styles(2)[piece.spec.genre or ""].names) for piece in named]
    assert sum(said) > 0.95 * len(said)


def test_no_two_genres_share_a_name() -> None:
    names = [(name, style.name) for style in styles(2).values() for name in {style.name, *style.names}]
    assert len({name for name, _ in names}) == len(names)


@pytest.mark.parametrize("genre", NEW)
def test_a_new_genre_is_music_by_its_own_rules(genre: str) -> None:
    for seed in range(6):
        plan, score = written(Spec(genre=genre), seed, 2)
        assert _rows_fit(plan.style)
        low, high = plan.style.bpm
        assert low <= score.header.bpm <= max(high, min(200, high * 3 // 2))
        for stream, step, event in _notes(score):
            if stream is not Stream.BASS and step < plan.end_step:
                assert (event.pitch - plan.header.key) % 12 in _allowed(plan, step, stream)
        assert _silent_bars(score) == []


def _rows_fit(style: Style) -> bool:
    return all(len(row) >= 12 for level in (*style.bass, *style.lead, *style.comping) for row in level)


def _notes(score: Score) -> Iterator[tuple[Stream, int, Note]]:
    for stream, row in score.events.items():
        for step, event in row.items():
            if isinstance(event, Note):
                yield stream, step, event


def _allowed(plan: PiecePlan, step: int, stream: Stream) -> set[int]:
    bar = plan.bars[step // plan.header.steps]
    blue = {0, 3, 5, 6, 7, 10} if plan.style.melody == "blues" and stream is Stream.LEAD else set()
    return {*chord_scale(bar.chord_at(step - bar.start), plan.header.minor), *blue}


def _silent_bars(score: Score) -> list[int]:
    """Bars in which no stream sounds; a hit is taken for a step."""
    sounding: set[int] = set()
    for stream, row in score.events.items():
        for step, end in pairwise([*sorted(row), score.steps]):
            if not isinstance(row[step], Stop):
                last = step if stream in HIT_STREAMS else end - 1
                sounding |= set(range(step // score.header.steps, last // score.header.steps + 1))
    return [bar for bar in range(len(score.sections) - 1) if bar not in sounding]


def test_breaks_and_build_ups_have_a_voice_and_end_soon(pieces: list[Piece]) -> None:
    for piece in pieces:
        assert _silent_bars(piece.score) == []
        runs = re.findall(r"4+", "".join(str(int(section)) for section in piece.score.sections))
        assert all(len(run) <= 8 for run in runs)


def test_a_dembow_has_its_snares_on_three_three_and_two() -> None:
    plan, score = written(Spec(genre="reggaeton"), 3, 2)
    bar = next(bar for bar in plan.bars if bar.section is Section.CHORUS)
    row = score.events[Stream.DRUMS]
    snares = [step for step in range(16) if _has(row.get(bar.start + step), "snare")]
    assert snares == [3, 6, 11, 14]
    assert all(_has(row.get(bar.start + step), "kick") for step in (0, 4, 8, 12))


def _has(event: Event | None, piece: str) -> bool:
    return isinstance(event, Hits) and piece in event.pieces


def test_a_walking_bass_moves_on_every_beat_and_leads_to_the_next_root() -> None:
    plan, score = written(Spec(genre="swing", bass=True), 5, 2)
    row = score.events[Stream.BASS]
    walked = [bar for bar in plan.bars if bar.section in (Section.VERSE, Section.CHORUS)]
    for bar in walked:
        assert all(isinstance(row.get(bar.start + beat), Note) for beat in (0, 4, 8, 12))
    leaps = [abs(a.pitch - b.pitch) for (_, a), (_, b) in pairwise(sorted(_walk(row, walked)))]
    assert sum(leap <= 5 for leap in leaps) > 0.8 * len(leaps)


def _walk(row: object, bars: list[Bar]) -> list[tuple[int, Note]]:
    assert isinstance(row, dict)
    first, last = bars[0].start, bars[-1].start + 16
    return [(step, event) for step, event in row.items() if isinstance(event, Note) and first <= step < last]


def test_build_ups_grow_louder_and_leave_a_gap_before_the_drop() -> None:
    found = 0
    for seed in range(30):
        plan, score = written(Spec(genre="trance", drums=True), seed, 2)
        builds = [bar for bar in plan.bars if bar.section is Section.BUILD]
        if not builds or Stream.DRUMS not in builds[0].streams:
            continue
        builds = builds[: builds[0].length]
        found += 1
        row = score.events[Stream.DRUMS]
        hits = [sum(bar.start <= step < bar.start + 16 for step in row) for bar in builds if not bar.is_last]
        assert hits == sorted(hits)
        assert not any(builds[-1].start + 12 <= step < builds[-1].start + 16 for step in row)
        assert [bar.push for bar in builds] == sorted(bar.push for bar in builds)
    assert found > 5
