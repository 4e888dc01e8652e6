"""What the model is told of a score of notes, and what becomes of that which it composes to it."""

from fractions import Fraction
from math import gcd

import numpy as np
import pytest

from shared.messages import Recipe
from shared.music import Key
from shared.note_score import NoteScore, TempoMap
from shared.played_score import COMPOSING, SCORE_PROMPT, PlayedScore, ScoreAction
from tests.unit.worker.engine.sampler.note_scores import (
    BAR,
    DIVISION,
    bass,
    chords,
    drums,
    melody,
    part,
    score,
)
from worker.engine.sampler.added_parts import add_parts
from worker.engine.sampler.addition import Addition, plan_addition
from worker.engine.sampler.arrangement import Arrangement
from worker.engine.sampler.codes import FIRST, Codes, decode
from worker.engine.sampler.conductor import bar_codes, players_of
from worker.engine.sampler.harmony import chord_number
from worker.engine.sampler.hearing import name_chord
from worker.engine.sampler.held_codes import COMPOSED
from worker.engine.sampler.instruments import PLAYERS, Stream
from worker.engine.sampler.proofreader import Proofreader
from worker.engine.sampler.score import Chord, Header, Note, Quality, Section
from worker.engine.sampler.step_grid import StepGrid, find_swing, model_meter

RATE, LEVEL = 32_000, 2


def planned(
    notes: NoteScore, action: ScoreAction, prompt: str = SCORE_PROMPT, seconds: float = 16.0, **fields: object
) -> Addition:
    reference = PlayedScore(sha256="0" * 64, action=action)
    recipe = Recipe(model="starter", prompt=prompt, duration=seconds, seed=3, score=reference, **fields)  # type: ignore[arg-type]
    return plan_addition(recipe, reference, notes, round(seconds * RATE), LEVEL)


def composed(addition: Addition, players: dict[Stream, str], rows: dict[Stream, int]) -> Codes:
    """Codes as the model may sample them: a header, these players, and one code again and again in each stream."""
    header = Header(bpm=120, key=addition.key.tonic, minor=addition.key.minor, beats=addition.grid.steps // 4, swing=0)
    names = [players.get(stream) for stream in PLAYERS]
    bar = bar_codes(header, Section.VERSE, players_of(names))
    codes: Codes = np.zeros(addition.held.shape, np.int64)
    codes[Stream.CONDUCTOR] = [bar[column % len(bar)] for column in range(codes.shape[1])]
    for stream, code in rows.items():
        codes[stream, len(bar) :: 4] = code
    return codes


def finished(addition: Addition, players: dict[Stream, str], rows: dict[Stream, int]) -> Arrangement:
    known = {**addition.heard.players, **players}
    return add_parts(addition, [(composed(addition, known, rows), -1.0)])


SONG = score(melody(), chords())
HARMONY = ((9, Quality.MINOR), (5, Quality.MAJOR), (0, Quality.MAJOR), (4, Quality.MAJOR))


def test_the_model_hears_the_given_parts_and_composes_the_others() -> None:
    plan = planned(SONG, "accompany", "pop", 8.0)
    assert dict(plan.heard.players) == {Stream.LEAD: "flute", Stream.PAD: "piano"}
    given, bar = [Stream.LEAD, Stream.PAD], plan.grid.steps
    assert (plan.held[given] != COMPOSED).all()
    others = [stream for stream in Stream if stream not in given]
    assert (plan.held[others] == COMPOSED).all()
    heard = decode(Proofreader().correct(composed(plan, dict(plan.heard.players), {})))
    assert heard.header.steps == bar == 16
    codes = composed(plan, dict(plan.heard.players), {})
    read = decode(Proofreader().correct(np.where(plan.held == COMPOSED, codes, plan.held)))
    tune = [(step, event.pitch) for step, event in read.events[Stream.LEAD].items() if isinstance(event, Note)]
    assert tune == [(note.start // 120, note.key) for note in SONG.parts[0].notes]
    named = [(event.root, event.quality) for event in read.events[Stream.PAD].values() if isinstance(event, Chord)]
    assert named == list(HARMONY)


def test_given_notes_stay_as_they_are_whatever_is_composed() -> None:
    odd = score(melody(), chords(), part((0.37, 1.91, 50), (2.2, 2.21, 51), name="off"), drums())
    actions: tuple[ScoreAction, ...] = ("accompany", "continue")
    for action in actions:
        plan = planned(odd, action, "with harp", 30.0)
        found = finished(plan, {Stream.ARPEGGIO: "harp"}, {Stream.ARPEGGIO: FIRST + 20, Stream.LEAD: FIRST + 30})
        for before, after in zip(odd.parts, found.score.parts, strict=False):
            assert after.notes[: len(before.notes)] == before.notes
            assert action == "continue" or after == before


def test_accompaniment_is_parts_of_its_own_on_the_grid() -> None:
    plan = planned(SONG, "accompany", "with bass guitar", 8.0)
    found = finished(plan, {Stream.BASS: "bass guitar"}, {Stream.BASS: FIRST + 12})
    *_, added = found.score.parts
    assert len(found.score.parts) == 3
    assert found.sounds == {"part 3": "bass guitar"}
    assert added.channel not in (1, 2, 10)
    assert [note.start for note in added.notes] == list(range(0, 4 * BAR, DIVISION))
    assert max(note.end for note in added.notes) == 4 * BAR


def test_what_follows_begins_at_the_joint_in_the_same_parts() -> None:
    plan = planned(score(melody(2), drums(2)), "continue", seconds=8.0)
    assert plan.begin == 2 * BAR
    first = plan.grid.steps + 2 * plan.grid.steps
    assert (plan.held[Stream.BASS :, first:] == COMPOSED).all()
    assert (plan.held[Stream.BASS :, :first] != COMPOSED).all()
    found = finished(plan, {}, {Stream.LEAD: FIRST + 40, Stream.DRUMS: FIRST + 1})
    tune, kit = found.score.parts
    assert [note.start for note in tune.notes[8:]] == list(range(2 * BAR, 4 * BAR, DIVISION))
    assert len(kit.notes) == 8 + 8
    assert {note.key for note in kit.notes[8:]} == {36}
    assert found.composed is not None
    assert (found.composed.from_seconds, found.composed.to_seconds) == (4.0, 8.0)


def test_a_part_goes_on_in_its_own_octave_and_around_its_own_chords() -> None:
    high = score(melody(1, up=24), part(*((beat, beat + 1, key) for beat in range(4) for key in (72, 76, 79))))
    found = finished(planned(high, "continue", seconds=4.0), {}, {Stream.LEAD: FIRST + 40, Stream.CHORDS: FIRST + 1})
    tune, block = found.score.parts
    assert abs(np.mean([n.key for n in tune.notes[4:]]) - np.mean([n.key for n in tune.notes[:4]])) < 12
    assert abs(np.mean([n.key for n in block.notes[12:]]) - 75.7) < 5


def test_changes_of_the_tempo_hold_for_what_is_composed() -> None:
    changing = score(melody(), tempos=((0, 500_000), (2 * BAR, 250_000)))
    plan = planned(changing, "accompany", "with bass guitar", 6.0)
    found = finished(plan, {Stream.BASS: "bass guitar"}, {Stream.BASS: FIRST + 12})
    times = TempoMap(found.score.tempos, found.score.division)
    begins = [times.seconds(note.start) for note in found.score.parts[-1].notes]
    assert begins == pytest.approx([0.5 * beat for beat in range(8)] + [4 + 0.25 * beat for beat in range(8)])
    assert any("All notes follow the score's changes" in text for text in plan.warnings)


@pytest.mark.parametrize("division", [24, 96, 100, 480, 960, 1])
def test_the_grid_is_exact_in_all_ticks(division: int) -> None:
    """The given notes are in finer ticks, at the same times."""
    factor = Fraction(division, DIVISION)
    notes = score(part(*((beat, beat + 1, 60) for beat in range(8))))
    scaled = NoteScore(
        division=division,
        tempos=notes.tempos,
        meters=notes.meters,
        parts=tuple(
            type(each)(
                channel=1,
                notes=tuple(type(n)(round(n.start * factor), round(n.end * factor), n.key, 84) for n in each.notes),
            )
            for each in notes.parts
        ),
    )
    plan = planned(scaled, "accompany", "with bass guitar", 4.0)
    assert plan.score.division % gcd(DIVISION, plan.score.division) == 0
    found = finished(plan, {Stream.BASS: "bass guitar"}, {Stream.BASS: FIRST + 12})
    given, added = found.score.parts
    assert [n.start for n in added.notes] == [n.start for n in given.notes]


def test_the_key_is_stated_or_that_of_the_notes() -> None:
    assert planned(SONG, "accompany").key == Key(9, minor=True)
    assert planned(SONG, "accompany", "pop in D minor").key == Key(2, minor=True)
    assert planned(SONG, "accompany", key="E minor").key == Key(4, minor=True)


def test_names_alone_are_all_that_is_added_and_a_genre_completes_the_band() -> None:
    def able(addition: Addition) -> set[Stream]:
        """The streams that may have a player."""
        places = {stream: addition.limits.allowed[3 + stream] for stream in PLAYERS}
        return {stream for stream, codes in places.items() if codes.nonzero().max() > 209 + 16 * (stream - 1)}

    assert able(planned(SONG, "accompany", "with bass guitar")) == {Stream.LEAD, Stream.PAD, Stream.BASS}
    assert Stream.DRUMS in able(planned(SONG, "accompany", "house"))
    assert able(planned(SONG, "continue", seconds=24.0)) >= {Stream.LEAD, Stream.PAD}
    assert Stream.DRUMS not in able(planned(SONG, "continue", seconds=24.0))
    assert Stream.DRUMS in able(planned(SONG, "continue", "with drums", seconds=24.0))


def test_what_the_model_does_not_hear_as_it_is_written_is_told() -> None:
    fast = part((0.1, 0.2, 60), (1, 2, 62), (2, 3, 64), (3, 4, 65))
    assert any(
        text.startswith("1 note is between the sixteenths") for text in planned(score(fast), "accompany").warnings
    )
    many = score(*(melody(up=up) for up in (0, -3, -5, -7, -9, -11)), chords(), chords(), bass(), drums())
    told = planned(many, "continue", seconds=24.0).warnings
    assert any("seven parts at most" in text and "They rest" in text for text in told)


def test_a_score_that_is_too_fast_in_places_is_refused_before_it_fills_the_memory() -> None:
    """Two seconds have millions of sixteenths of the tempo that the model hears."""
    falling = score(part((0, 4, 60), (4, 4_400_000, 62)), tempos=((0, 1), (2_000_000 * DIVISION, 2**24 - 1)))
    for action in COMPOSING:
        with pytest.raises(ValueError, match="too fast in places"):
            planned(falling, action, seconds=120.0)


def test_a_score_in_all_streams_leaves_nothing_to_compose() -> None:
    kit = part(*((beat, beat + 0.1, key) for beat in range(4) for key in (36, 70)), channel=10, is_drums=True)
    pad = part(*((4 * bar, 4 * bar + 4, key) for bar in range(4) for key in (57, 60, 64)))
    block = part(*((beat, beat + 1, key) for beat in range(16) for key in (57, 60, 64)))
    full = score(melody(), melody(up=-5), pad, block, bass(), kit)
    with pytest.raises(ValueError, match="Name the instruments that stay"):
        planned(full, "accompany")


@pytest.mark.parametrize(
    ("beats", "unit", "expected"),
    [
        (4, 4, ("4/4", True)),
        (3, 4, ("3/4", True)),
        (7, 8, ("7/8", True)),
        (2, 4, ("4/4", False)),
        (2, 2, ("4/4", True)),
        (6, 4, ("3/4", True)),
        (3, 8, ("6/8", False)),
        (9, 8, ("6/8", False)),
        (11, 8, ("4/4", False)),
    ],
)
def test_a_meter_that_the_model_lacks_becomes_one_whose_bar_lines_agree(
    beats: int, unit: int, expected: tuple[str, bool]
) -> None:
    assert model_meter(beats, unit, LEVEL) == expected


def test_swung_eighths_are_heard_as_eighths() -> None:
    swung = [round(DIVISION * (beat + late)) for beat in range(8) for late in (0, 2 / 3)]
    assert find_swing(swung, Fraction(DIVISION)) == 3
    assert find_swing([240 * eighth for eighth in range(16)], Fraction(DIVISION)) == 0
    grid = StepGrid(0, Fraction(120), 16, 3)
    assert [grid.nearest(tick) for tick in swung[:4]] == [0, 2, 4, 6]
    assert [grid.tick(step) for step in (0, 2, 4, 6)] == swung[:4]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((60, 64, 67), (0, Quality.MAJOR)),
        ((57, 60, 64, 67), (9, Quality.MINOR7)),
        ((55, 59, 62, 65), (7, Quality.DOMINANT7)),
        ((52, 55, 60), (0, Quality.MAJOR)),
        ((50, 57), (2, Quality.POWER)),
        ((48, 53, 55), (0, Quality.SUSPENDED)),
    ],
)
def test_chords_are_named_as_musicians_name_them(keys: tuple[int, ...], expected: tuple[int, Quality]) -> None:
    assert name_chord(keys, LEVEL) == expected


def test_a_level_hears_only_the_codes_that_it_has() -> None:
    loud = score(part(*((beat, beat + 1, key) for beat in range(4) for key in (50, 53, 56, 59)), program=0))
    reference = PlayedScore(sha256="0" * 64, action="accompany")
    recipe = Recipe(model="starter", prompt="pop", duration=4.0, score=reference)
    plan = plan_addition(recipe, reference, loud, 4 * RATE, 1)
    assert plan.held[Stream.CHORDS].max() < FIRST + 2 * 72
    assert plan.held[Stream.CHORDS].max() >= FIRST


def test_what_is_composed_keeps_the_harmony_of_the_given_notes() -> None:
    """A minor, F, C and E major, each for a bar, and for half a bar."""
    expected = [chord_number((root - 9) % 12, quality) for root, quality in HARMONY]
    plan = planned(SONG, "accompany", "pop", 8.0)
    assert [row.tolist() for row in plan.limits.chords[:4]] == [[number] * 3 for number in expected]
    assert int(plan.limits.chord_shares) == 1
    fast = score(
        part(*((2 * half, 2 * half + 2, key) for half in range(8) for key in ((57, 60, 64), (53, 57, 60))[half % 2]))
    )
    plan = planned(fast, "accompany", "pop", 8.0)
    assert [int(row[0]) for row in plan.limits.chords[:8]] == expected[:2] * 4
    assert int(plan.limits.chord_shares) == 2


def test_the_root_in_the_bass_names_a_seventh_chord() -> None:
    """A minor 7 has the notes of C major as well."""
    seventh = score(part(*((0, 4, key) for key in (45, 52, 55, 60, 67)), *((4, 8, key) for key in (52, 55, 60))))
    plan = planned(seventh, "accompany", "pop in C major", 4.0)
    assert [int(row[0]) for row in plan.limits.chords[:2]] == [
        chord_number(9, Quality.MINOR),
        chord_number(0, Quality.MAJOR),
    ]


def test_a_melody_is_harmonised_within_its_key() -> None:
    """A C E D is A minor, and C B A G sharp its dominant."""
    plan = planned(score(melody(2)), "accompany", "pop", 4.0)
    assert [int(row[0]) for row in plan.limits.chords[:2]] == [
        chord_number(0, Quality.MINOR),
        chord_number(7, Quality.MAJOR),
    ]


def test_given_drums_have_no_harmony_so_the_plan_chooses_it() -> None:
    plan = planned(score(drums()), "accompany", "pop in C major", 8.0)
    assert (plan.limits.chords > 0).all()


def test_what_follows_repeats_the_chords_of_the_score_unless_it_has_only_one() -> None:
    chords_of_song = planned(SONG, "continue", seconds=24.0).limits.chords
    expected = [chord_number((root - 9) % 12, quality) for root, quality in HARMONY]
    assert [int(row[0]) for row in chords_of_song[:12]] == expected * 3
    still = score(part(*((beat, beat + 1, key) for beat in range(8) for key in (57, 60, 64))))
    assert (planned(still, "continue", seconds=24.0).limits.chords == 0).all()
