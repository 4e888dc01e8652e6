from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.music import Key
from shared.prompt.reader import read_prompt
from shared.prompt.reading import Reading
from tests.unit.worker.engine.sampler.drawing import draw, random_wish, scripted
from tests.unit.worker.engine.sampler.songs import POP, song
from worker.engine.sampler.codes import FIRST, STOP, Codes, decode, encode, readable
from worker.engine.sampler.conductor import EMPTY, OPENING, PLAYER_PLACES, TEMPO, bar_codes, codes_at
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.proofreader import Proofreader
from worker.engine.sampler.rests import NO_DEADLINE
from worker.engine.sampler.score import Header, Section, Stop
from worker.engine.sampler.score_grammar import LAST_TO_JOIN, no_limits
from worker.engine.sampler.wish import Wish

DRUMMER = (0, 0, 0, 0, 0, 2, 0)
HEADER = Header(126)


def longest_silence(codes: Codes) -> float:
    """In bars: of hits their steps sound, of notes all until they are stopped."""
    score = decode(codes)
    sounds = np.zeros(score.steps, bool)
    for stream, row in score.events.items():
        for step, event in row.items():
            if isinstance(event, Stop):
                continue
            later = [other for other in row if other > step]
            length = (
                1 if stream >= Stream.DRUMS else min(4 * score.header.steps, min(later, default=score.steps) - step)
            )
            sounds[step : step + length] = True
    runs = np.diff(np.flatnonzero(np.concatenate(([True], sounds, [True])))) - 1
    return float(runs.max()) / score.header.steps


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 90]))
def test_restricted_codes_need_no_correction(seed: int, window: int | None) -> None:
    (codes,) = draw([random_wish(seed)], 160, window=window)
    corrected = Proofreader().correct(codes)
    assert np.array_equal(corrected[Stream.CONDUCTOR], codes[Stream.CONDUCTOR])
    score = decode(corrected)
    assert score.events
    assert Section.END not in score.sections
    assert longest_silence(corrected) < 2


def test_a_model_that_knows_the_grammar_is_left_alone() -> None:
    codes = _song(6)
    assert np.array_equal(draw([scripted(codes)], codes.shape[1])[0], codes)


@pytest.mark.parametrize(
    "prompt", ["808 drums, 131 BPM", "in F# minor at 61 bpm, 3/4", "b-flat major, 104-112 bpm", "3/4"]
)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_count_in_declares_what_the_prompt_states(prompt: str, seed: int) -> None:
    reading = read_prompt(prompt)
    count_in = make_count_in(Wish(reading))
    header = decode(draw([random_wish(seed)], 40, [count_in.limits])[0]).header
    assert count_in.warnings == ()
    if reading.tempo:
        assert reading.tempo[0] <= header.bpm <= reading.tempo[1]
    if reading.key:
        assert (header.key, header.minor) == (reading.key.tonic, reading.key.minor)
    if reading.meter:
        assert f"{header.beats}/4" == reading.meter


def test_a_number_that_is_read_twice_as_tempo_does_not_shift_the_grid() -> None:
    codes = _song(4)
    codes[0, 1:] = codes[0, :-1].copy()
    codes[0, 0] = TEMPO + 80 - 40
    made = decode(draw([scripted(codes)], codes.shape[1])[0])
    assert made.header.bpm == 80
    assert made.steps == 64
    assert made.events


def test_neighbours_change_nothing() -> None:
    limits = [make_count_in(Wish(read_prompt(prompt))).limits for prompt in ("90 bpm", "3/4, 180 bpm", "no drums")]
    together = draw([random_wish(seed) for seed in range(3)], 100, [*limits])
    for seed, codes in enumerate(together):
        assert np.array_equal(draw([random_wish(seed)], 100, [limits[seed]])[0], codes)


def test_without_any_player_the_drums_or_else_the_lead_get_one() -> None:
    empty = scripted(_codes([bar_codes(HEADER, Section.VERSE, EMPTY)] * 3))
    no_drums = no_limits()
    first, end = OPENING[LAST_TO_JOIN]
    no_drums.allowed[LAST_TO_JOIN, first + 1 : end] = False
    (drums, lead) = draw([empty, empty], 48, [None, no_drums])
    assert decode(drums).events.keys() == {Stream.DRUMS}
    assert decode(lead).events.keys() == {Stream.LEAD}


def test_a_break_ends_after_eight_bars() -> None:
    (codes,) = draw([scripted(_codes([bar_codes(HEADER, Section.BREAK, DRUMMER)] * 20))], 20 * 16)
    sections = [section is Section.BREAK for section in decode(codes).sections]
    assert sections == [True] * 8 + [False] + [True] * 8 + [False] + [True]


@pytest.mark.parametrize("steps", [0, 2, 18])
def test_a_stream_has_played_by_its_deadline(steps: int) -> None:
    players = (0, 0, 0, 0, 3, 2, 0)
    limits = no_limits()
    limits.deadlines[Stream.LEAD - 1] = steps
    silent = scripted(_codes([bar_codes(HEADER, Section.VERSE, players)] * 4))
    (codes,) = draw([silent], 64, [limits])
    lead = np.flatnonzero(codes[Stream.LEAD] >= FIRST) - 16
    # A note that is held begins again with a bar.
    assert lead[0] == steps
    assert not lead[1:].size or set(lead[1:] % 16) == {0}


@pytest.mark.parametrize("stream", [Stream.BASS, Stream.ARPEGGIO, Stream.LEAD])
def test_a_note_is_held_for_less_than_two_bars(stream: Stream) -> None:
    players = [0, 0, 0, 0, 0, 2, 0]
    players[stream - 1] = 1
    held = _codes([bar_codes(HEADER, Section.VERSE, tuple(players))] * 6)
    held[stream, 16 + 5] = FIRST + 3
    held[stream, 16 + 70] = STOP
    (codes,) = draw([scripted(held)], 96, [no_limits()])
    begun = np.flatnonzero(codes[stream] >= FIRST) - 16
    assert begun.tolist()[:3] == [5, 32, 48]
    assert (codes[stream, 16 + 70 :] == STOP).sum() == 1
    assert (codes[stream, 16 + 71 :] < FIRST).all()


@pytest.mark.parametrize("window", [None, 96])
def test_a_part_rests_for_no_more_bars_than_it_may_but_in_a_break(window: int | None) -> None:
    # The first one is the counted-in bar's.
    sections = [Section.VERSE] * 5 + [Section.BREAK] * 4 + [Section.CHORUS] * 8
    silent = _codes([bar_codes(HEADER, section, (0, 0, 0, 0, 3, 2, 0)) for section in sections])
    silent[Stream.DRUMS, 16::4] = FIRST
    silent[Stream.LEAD, 16] = FIRST + 3
    # Every note ends within its bar.
    silent[Stream.LEAD, 16 + 12 :: 16] = STOP
    limits = no_limits()
    limits.rests[Stream.LEAD - 1] = 2
    (codes,) = draw([scripted(silent)], 15 * 16, [limits], window)
    begun = np.flatnonzero(codes[Stream.LEAD] >= FIRST) - 16
    assert begun.tolist() == [0, 3 * 16 + 2, 10 * 16 + 2, 13 * 16 + 2]


def test_a_piece_of_hits_goes_on_after_a_second_of_silence() -> None:
    silent = scripted(_codes([bar_codes(HEADER, Section.VERSE, DRUMMER)] * 4))
    (codes,) = draw([silent], 64, [no_limits()._replace(patience=torch.tensor(6))])
    assert (np.flatnonzero(codes[Stream.DRUMS] >= FIRST) - 16).tolist() == list(range(0, 48, 8))


@pytest.mark.parametrize(("prompt", "steps"), [("only congas, 60 bpm", 4), ("drum loop, 118 bpm", 7), ("house", None)])
def test_only_a_piece_of_hits_may_not_pause(prompt: str, steps: int | None) -> None:
    patience = int(make_count_in(Wish(read_prompt(prompt))).limits.patience)
    assert patience == (NO_DEADLINE if steps is None else steps)


def test_one_stream_always_plays_on_the_first_step() -> None:
    (codes,) = draw([scripted(_codes([bar_codes(HEADER, Section.VERSE, DRUMMER)] * 3))], 48)
    assert codes[Stream.DRUMS, 16] >= FIRST
    silent = codes[1:].copy()
    silent[Stream.DRUMS - 1, 16] = 0
    assert not silent[:, :32].any()


@pytest.mark.parametrize("window", [None, 240])
def test_after_a_silent_bar_earlier_bars_repeat(window: int | None) -> None:
    (made,) = draw([scripted(_broken_off(10))], 20 * 16, window=window)
    bars = made[1:].reshape(7, -1, 16).swapaxes(0, 1)
    assert [bool((bar >= FIRST).any()) for bar in bars[:15]] == [False] + [True] * 10 + [False] + [True] * 3
    assert np.array_equal(bars[12:16], bars[7:11])
    assert longest_silence(made) <= 1


@pytest.mark.parametrize(
    ("tempo", "played", "declared", "changed"),
    [
        ("300", "150", 150, "300 BPM became 150 BPM"),
        ("251", "125.5", 126, "251 BPM became 125.5 BPM"),
        ("30", "60", 60, "30 BPM became 60 BPM"),
        ("240", "240", 200, None),
        ("82.5", "82.5", 83, None),
        ("40.4", "40.4", 40, None),
    ],
)
def test_a_tempo_is_exact_and_one_out_of_reach_is_halved_or_doubled(
    tempo: str, played: str, declared: int, changed: str | None
) -> None:
    count_in = make_count_in(Wish(Reading(tempo=(Fraction(tempo), Fraction(tempo)))))
    assert decode(draw([random_wish(1)], 40, [count_in.limits])[0]).header.bpm == declared
    assert count_in.tempo == Fraction(played)
    assert count_in.warnings == ((f"This model plays 40 to 240 beats a minute: {changed}.",) if changed else ())


@pytest.mark.parametrize(("meter", "beats"), [("7/8", 4), ("5/4", 4), ("6/8", 3), ("12/8", 4)])
def test_an_unplayable_meter_gives_a_warning(meter: str, beats: int) -> None:
    count_in = make_count_in(Wish(Reading(meter=meter, key=Key(0, False))))
    assert decode(draw([random_wish(1)], 40, [count_in.limits])[0]).header.beats == count_in.beats == beats
    assert count_in.warnings == (f"This model cannot play in {meter}: the music is in {beats}/4.",)


@pytest.mark.parametrize(("meter", "steps"), [("7/8", 14), ("5/4", 20), ("6/8", 12), ("12/8", 24), ("4/4", 16)])
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_model_of_the_second_level_plays_all_meters(meter: str, steps: int, seed: int) -> None:
    count_in = make_count_in(Wish(Reading(meter=meter)), 2)
    assert count_in.warnings == ()
    (codes,) = draw([random_wish(seed)], 5 * steps, [count_in.limits], level=2)
    assert np.array_equal(Proofreader().correct(codes)[Stream.CONDUCTOR], codes[Stream.CONDUCTOR])
    score = decode(codes)
    assert (score.header.meter, score.header.steps) == (meter, steps)
    assert score.steps == 4 * steps


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_model_of_the_first_level_writes_nothing_of_the_second(seed: int) -> None:
    (codes,) = draw([random_wish(seed)], 64)
    assert set(codes[0].tolist()) <= {code for place in range(16) for code in codes_at(place, 1)}
    assert readable(1)[np.arange(7)[:, None], codes[1:]].all()


def test_a_reused_slot_starts_with_fresh_state() -> None:
    first, second = draw([random_wish(5), random_wish(5)], 60)
    assert np.array_equal(first, second)


def _song(bars: int) -> Codes:
    """Without its end."""
    return encode(song(HEADER, POP, bars))[:, : (1 + bars) * HEADER.steps]


def _broken_off(bars: int) -> Codes:
    """A song that has no end yet and in which no stream plays any more."""
    played = _song(bars)
    codes = _codes([bar_codes(HEADER, Section.VERSE, _players(played))] * 20)
    codes[:, : played.shape[1]] = played
    codes[1:6, played.shape[1]] = STOP
    return codes


def _codes(bars: list[list[int]]) -> Codes:
    codes = np.zeros((len(Stream), sum(map(len, bars))), np.int64)
    codes[0] = [code for bar in bars for code in bar]
    return codes


def _players(codes: Codes) -> tuple[int, ...]:
    """Who is announced in the counted-in bar."""
    return tuple(int(codes[0, place]) - OPENING[place][0] for place in PLAYER_PLACES)
