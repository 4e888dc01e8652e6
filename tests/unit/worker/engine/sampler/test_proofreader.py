import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.unit.worker.engine.sampler.songs import ELECTRO, JAZZ, METAL, POP, song
from worker.engine.sampler.codes import CARD, STOP, decode, encode, event_code, event_of
from worker.engine.sampler.conductor import bar_codes
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.proofreader import LONGEST, Proofreader
from worker.engine.sampler.score import Chord, Header, Hits, Note, Quality, Section, Stop


@pytest.mark.parametrize("band", [POP, ELECTRO, JAZZ, METAL])
@pytest.mark.parametrize("header", [Header(126), Header(80, 3, 1, 5, True)])
def test_what_is_right_stays(header: Header, band: tuple[str, ...]) -> None:
    codes = encode(song(header, band, 2))
    assert np.array_equal(Proofreader().correct(codes), codes)


def test_tempo_key_and_bars_hold() -> None:
    header, other = Header(90, 4, 0, 2), Header(91, 3, 1, 7, True)
    conductor = [
        *bar_codes(header, Section.VERSE),
        *bar_codes(other, Section.CHORUS),
        *bar_codes(header, Section.OUTRO),
    ]
    codes = np.zeros((len(Stream), len(conductor)), np.int64)
    codes[0] = conductor

    corrected = Proofreader().correct(codes)

    whole = [bar_codes(header, section) for section in (Section.VERSE, Section.CHORUS, Section.OUTRO)]
    assert corrected[0].tolist() == [code for bar in whole for code in bar][: len(conductor)]


def test_before_the_first_tempo_nothing_is_known() -> None:
    codes = np.zeros((len(Stream), 20), np.int64)
    codes[0, 3:19] = bar_codes(Header(70), Section.INTRO)
    assert np.array_equal(Proofreader().correct(codes), codes | Proofreader().correct(codes))
    assert decode(Proofreader().correct(codes)).header.bpm == 70


def test_a_stranger_plays_nothing() -> None:
    codes = np.zeros((len(Stream), 3), np.int64)
    codes[Stream.BASS] = [event_code(Stream.BASS, Note(name, 40)) for name in ("cello", "organ", "cello")]
    chords = [Chord(name, 2, Quality.MAJOR) for name in ("harp", "banjo", "harp")]
    codes[Stream.CHORDS] = [event_code(Stream.CHORDS, chord) for chord in chords]
    kits = [Hits(kit, frozenset(("kick",))) for kit in ("lofi", "hard", "lofi")]
    codes[Stream.DRUMS] = [event_code(Stream.DRUMS, hits) for hits in kits]
    sets = [Hits(kit, frozenset(("high_tom",))) for kit in ("congas", "cinematic", "congas")]
    codes[Stream.PERCUSSION] = [event_code(Stream.PERCUSSION, hits) for hits in sets]

    corrected = Proofreader().correct(codes)

    for stream in (Stream.BASS, Stream.CHORDS, Stream.DRUMS):
        assert (corrected[stream] == codes[stream, 0]).all()
    assert corrected[Stream.PERCUSSION].tolist() == [codes[Stream.PERCUSSION, 0], 0, codes[Stream.PERCUSSION, 0]]


def test_notes_end() -> None:
    codes = np.zeros((len(Stream), 200), np.int64)
    codes[0, :16] = bar_codes(Header(), Section.VERSE)
    codes[Stream.LEAD, 5] = event_code(Stream.LEAD, Note("flute", 70))
    codes[Stream.DRUMS, 5] = event_code(Stream.DRUMS, Hits("lofi", frozenset(("crash",))))

    corrected = Proofreader().correct(codes)

    assert np.flatnonzero(corrected[Stream.LEAD]).tolist() == [5, 5 + 16 * LONGEST]
    assert isinstance(event_of(Stream.LEAD, int(corrected[Stream.LEAD, 5 + 16 * LONGEST])), Stop)
    assert np.flatnonzero(corrected[Stream.DRUMS]).tolist() == [5]


@given(arrays(np.int64, (len(Stream), 40), elements=st.integers(-1, CARD)), st.integers(0, 40))
def test_any_codes_in_any_pieces_become_a_score(codes: np.ndarray, cut: int) -> None:
    whole = Proofreader().correct(codes)
    pieces = Proofreader()
    assert np.array_equal(
        np.concatenate([pieces.correct(codes[:, :cut]), pieces.correct(codes[:, cut:])], axis=1), whole
    )
    assert ((whole[1:] == 0) | (whole[1:] == STOP) | (whole[1:] == codes[1:]) | (codes[1:] > STOP)).all()
    decode(whole)
