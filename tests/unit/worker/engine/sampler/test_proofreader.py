import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.unit.worker.engine.sampler.songs import ELECTRO, JAZZ, METAL, POP, song
from worker.engine.sampler.codes import CODEBOOK_SIZE, STOP, Codes, decode, encode, event_code
from worker.engine.sampler.conductor import EMPTY, PLAYER, SECTION, SECTION_PLACE, bar_codes
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.proofreader import LONGEST, Proofreader
from worker.engine.sampler.score import Header, Hits, Note, Section, player_of

PIANIST = (0, 1, 0, 0, 0, 0, 0)
FLUTIST, VIOLINIST = (0, 0, 0, 0, 4, 0, 0), (0, 0, 0, 0, 2, 0, 0)
FLUTE = event_code(Stream.LEAD, Note("flute", 70), 0)


def conducted(*bars: list[int]) -> Codes:
    conductor = [code for bar in bars for code in bar]
    codes = np.zeros((len(Stream), len(conductor)), np.int64)
    codes[0] = conductor
    return codes


@pytest.mark.parametrize("band", [POP, ELECTRO, JAZZ, METAL])
@pytest.mark.parametrize("header", [Header(126), Header(80, 3, 1, 5, True)])
def test_what_is_right_stays(header: Header, band: tuple[str, ...]) -> None:
    codes = encode(song(header, band, 2))
    assert np.array_equal(Proofreader().correct(codes), codes)


def test_the_first_tempo_meter_key_mood_and_bars_hold() -> None:
    header, other = Header(90, 4, 0, 2, mood="sad"), Header(91, 3, 1, 7, True, "happy")
    counted_in = bar_codes(header, Section.VERSE, PIANIST)
    other_bar = bar_codes(other, Section.CHORUS, PIANIST)

    corrected = Proofreader().correct(conducted(counted_in, other_bar, [0] * 4, counted_in))

    sections = (Section.VERSE, Section.CHORUS, Section.VERSE)
    whole = [bar_codes(header, section, PIANIST) for section in sections]
    assert corrected[0].tolist()[:48] == [code for bar in whole for code in bar]


def test_without_a_count_in_the_default_header_holds_without_players() -> None:
    codes = np.full((len(Stream), 40), STOP + 1)
    corrected = Proofreader().correct(codes)
    assert corrected[0].tolist()[1:16] == bar_codes(Header(), Section.VERSE)[1:]
    assert decode(corrected).header == Header(bpm=40)
    assert not corrected[1:].any()


def test_a_section_counts_at_its_place_alone() -> None:
    bar = bar_codes(Header(), Section.VERSE)
    codes = conducted(bar, bar)
    codes[0, 16 + 9] = SECTION + Section.END
    assert Proofreader().correct(codes)[0].tolist() == bar + bar
    codes[0, 16 + SECTION_PLACE] = SECTION + Section.END
    assert decode(Proofreader().correct(codes)).sections == (Section.END,)


def test_players_only_take_turns_after_the_count_in() -> None:
    codes = conducted(
        bar_codes(Header(), Section.VERSE, FLUTIST),
        bar_codes(Header(), Section.VERSE, (3, *VIOLINIST[1:])),
        bar_codes(Header(), Section.VERSE, EMPTY),
    )
    first, second, third = Proofreader().correct(codes)[0].reshape(3, 16)
    assert first.tolist() == bar_codes(Header(), Section.VERSE, FLUTIST)
    assert second.tolist() == bar_codes(Header(), Section.VERSE, VIOLINIST)
    assert third.tolist() == second.tolist()


def test_an_unknown_player_code_changes_nothing() -> None:
    codes = conducted(bar_codes(Header(), Section.VERSE))
    codes[0, SECTION_PLACE + 1] = PLAYER + 15
    assert Proofreader().correct(codes)[0].tolist() == bar_codes(Header(), Section.VERSE)


def test_undeclared_players_and_the_count_in_are_silent() -> None:
    codes = conducted(*[bar_codes(Header(), Section.VERSE, FLUTIST)] * 2)
    codes[Stream.LEAD, [4, 20]] = FLUTE
    codes[Stream.BASS, 20] = FLUTE
    corrected = Proofreader().correct(codes)
    assert np.argwhere(corrected[1:]).tolist() == [[Stream.LEAD - 1, 20]]


def test_notes_end() -> None:
    players = (0, 0, 0, 0, 4, 5, 0)
    codes = conducted(*[bar_codes(Header(), Section.VERSE, players)] * 12)
    codes[Stream.LEAD, 21] = FLUTE
    codes[Stream.DRUMS, 21] = event_code(Stream.DRUMS, Hits("lofi", frozenset(("crash",))), 0)

    corrected = Proofreader().correct(codes)

    assert np.flatnonzero(corrected[Stream.LEAD]).tolist() == [21, 21 + 16 * LONGEST]
    assert corrected[Stream.LEAD, 21 + 16 * LONGEST] == STOP
    assert np.flatnonzero(corrected[Stream.DRUMS]).tolist() == [21]


@given(arrays(np.int64, (len(Stream), 60), elements=st.integers(-1, CODEBOOK_SIZE)), st.integers(0, 60))
def test_any_codes_in_any_pieces_become_a_score(codes: Codes, cut: int) -> None:
    codes[0, :16] = bar_codes(Header(), Section.VERSE, (1, 1, 1, 1, 1, 1, 7))
    whole = Proofreader().correct(codes)
    pieces = Proofreader()
    in_two = [pieces.correct(codes[:, :cut]), pieces.correct(codes[:, cut:])]
    assert np.array_equal(np.concatenate(in_two, axis=1), whole)
    assert ((whole[1:] == 0) | (whole[1:] == STOP) | (whole[1:] == codes[1:])).all()
    assert np.array_equal(Proofreader().correct(whole), whole)
    decode(whole)


@pytest.mark.parametrize("late", [1, 2, 4])
def test_a_count_in_out_of_step_keeps_tempo_key_and_players(late: int) -> None:
    header = Header(96, 4, 1, 10, mood="sad")
    codes = encode(song(header, POP, 4))[:, : 5 * header.steps]
    shifted = np.concatenate((np.full((len(Stream), late), STOP), codes), axis=1)
    shifted[0, :late] = 0
    score, right = decode(Proofreader().correct(shifted)), decode(codes)
    assert score.header == header
    players = {stream: {player_of(event) for event in row.values()} for stream, row in right.events.items()}
    assert {stream: {player_of(event) for event in row.values()} for stream, row in score.events.items()} == players


def test_the_second_of_two_tempos_moves_nothing() -> None:
    codes = encode(song(Header(80), POP, 4))[:, : 5 * 16]
    twice = np.insert(codes, 1, codes[:, 0], axis=1)
    twice[0, 1] += 8
    score = decode(Proofreader().correct(twice))
    assert score.header == Header(80)
    assert score.events.keys() == decode(codes).events.keys()
