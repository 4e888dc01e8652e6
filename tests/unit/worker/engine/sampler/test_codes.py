import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.unit.worker.engine.sampler.scores import scores
from worker.engine.sampler.codes import CODEBOOK_SIZE, FIRST, STOP, decode, encode, event_code, event_of, readable
from worker.engine.sampler.conductor import Conductor, bar_codes, codes_at
from worker.engine.sampler.instruments import INSTRUMENTS, KITS, PLAYERS, Stream
from worker.engine.sampler.score import MOODS, Chord, Event, Header, Hits, Note, Quality, Score, Section, Stop

VOCABULARY = Path(__file__).parents[5] / "gateway/prompts/vocabulary.json"

garbage = st.integers(0, 60).flatmap(
    lambda steps: arrays(np.int64, (8, steps), elements=st.integers(-5, CODEBOOK_SIZE + 5))
)


@given(score=scores())
def test_decoding_gives_the_score_that_was_encoded(score: Score) -> None:
    codes = encode(score)

    assert codes.min() >= 0
    assert codes.max() < CODEBOOK_SIZE
    assert decode(codes) == score


def test_codes_of_the_first_level_keep_their_meaning() -> None:
    """The shipped checkpoint was trained on them."""
    assert event_of(Stream.LEAD, FIRST + 2 * 60 + 59, "flute", 0) == Note("flute", 83, 2)
    assert event_of(Stream.PAD, FIRST + 72 + 11 * 6 + 5, "choir", 0) == Chord("choir", 11, Quality.POWER, 1)
    crash = Hits("hard", frozenset({"kick", "crash"}), 2)
    assert event_of(Stream.DRUMS, FIRST + 2 * 128 + 1 + 64, "hard", 0) == crash
    assert bar_codes(Header(50, 3, 2, 5, True, "sad"), Section.OUTRO) == [
        12, 165, 180, 199, *range(209, 209 + 7 * 16, 16), 337 + 11,
    ]  # fmt: skip
    assert bar_codes(Header(), Section.VERSE)[12:] == [333, 334, 335, 336]
    assert [codes.sum() for codes in readable(1)] == [182, 146, 146, 182, 182, 383, 194]


def test_the_first_level_has_nothing_of_the_second() -> None:
    first = np.stack([np.isin(np.arange(CODEBOOK_SIZE), codes_at(place, 1)) for place in range(16)])
    later = np.stack([np.isin(np.arange(CODEBOOK_SIZE), codes_at(place, 2)) for place in range(16)])
    assert (first <= later).all()
    assert {int(code) for code in np.flatnonzero((later & ~first).any(0))} == {201, *range(366, 381)}
    assert (readable(1) <= readable(2)).all()
    assert readable(2)[Stream.DRUMS - 1].sum() == 386


@given(codes=garbage)
def test_any_codes_are_some_score(codes: np.ndarray) -> None:
    score = decode(codes)

    assert decode(encode(score)) == score


@given(
    key=st.integers(0, 11),
    code=st.integers(1, CODEBOOK_SIZE - 1),
    stream=st.sampled_from(list(PLAYERS)),
    data=st.data(),
)
def test_every_code_that_can_be_read_is_written_the_same(
    key: int, code: int, stream: Stream, data: st.DataObject
) -> None:
    event = event_of(stream, code, data.draw(st.sampled_from(PLAYERS[stream])), key)
    assert event is None or event_code(stream, event, key) == code


@given(key=st.integers(0, 11), minor=st.booleans())
def test_transposed_music_has_the_same_codes(key: int, minor: bool) -> None:
    """As long as it fits between the lowest and the highest pitch."""
    up = key if key <= 6 else key - 12
    events: dict[Stream, dict[int, Event]] = {
        Stream.BASS: {0: Note("cello", 40 + up), 4: Stop()},
        Stream.PAD: {2: Chord("choir", (5 + key) % 12, Quality.MAJOR)},
    }
    found = encode(Score(Header(key=key, minor=minor), (Section.VERSE,), 16, events))
    in_c: dict[Stream, dict[int, Event]] = {
        Stream.BASS: {0: Note("cello", 40), 4: Stop()},
        Stream.PAD: {2: Chord("choir", 5, Quality.MAJOR)},
    }
    assert np.array_equal(found[1:], encode(Score(Header(minor=minor), (Section.VERSE,), 16, in_c))[1:])


def test_undeclared_players_do_not_play() -> None:
    assert event_of(Stream.BASS, 50, None, 0) is None
    codes = encode(Score(Header(), (Section.VERSE,), 16, {Stream.BASS: {0: Note("cello", 40)}}))
    codes[Stream.LEAD, 20] = 50
    assert set(decode(codes).events) == {Stream.BASS}


def test_players_take_turns_from_bar_to_bar() -> None:
    lead: dict[int, Event] = {0: Note("flute", 70), 16: Note("violin", 72), 33: Note("flute", 74)}
    score = Score(Header(), (Section.VERSE,) * 4, 64, {Stream.LEAD: lead})
    assert decode(encode(score)) == score


def test_every_instrument_of_the_vocabulary_has_a_player() -> None:
    vocabulary = json.loads(VOCABULARY.read_text())
    assert set(MOODS) == set(vocabulary["moods"])
    words = set(vocabulary["instruments"]) - {"drums", "drum machine"}
    played = {name for names in INSTRUMENTS.values() for name in names} | set(KITS[Stream.PERCUSSION])
    assert words <= played
    assert {name for names in INSTRUMENTS.values() for name in names} <= words


@pytest.mark.parametrize(("bpm", "beats", "steps"), [(40, 3, 12), (200, 4, 16)])
def test_a_bar_begins_with_all_that_holds_in_it(bpm: int, beats: int, steps: int) -> None:
    header, players = Header(bpm, beats, 2, 11, True, "sad"), (1, 0, 14, 0, 0, 5, 7)
    codes = bar_codes(header, Section.CHORUS, players)

    assert len(codes) == steps
    conductor = Conductor()
    for place, code in enumerate(codes):
        conductor.read(code)
        assert conductor.place == place
        assert conductor.counts_in
    assert conductor.header == header
    assert conductor.section is Section.CHORUS
    assert conductor.player(Stream.BASS) is None
    conductor.read(codes[0])
    assert not conductor.counts_in
    assert conductor.players == players
    assert conductor.player(Stream.BASS) == INSTRUMENTS[Stream.BASS][0]
    assert conductor.player(Stream.PERCUSSION) == KITS[Stream.PERCUSSION][-1]
    assert conductor.player(Stream.LEAD) is None


def test_without_a_tempo_the_last_one_holds() -> None:
    conductor = Conductor()
    for code in bar_codes(Header(90, 3), Section.VERSE):
        conductor.read(code)
    for place in range(14):
        conductor.read(2047)
        assert conductor.place == place % 12
    assert conductor.header.bpm == 90


def test_a_tempo_begins_a_bar_wherever_it_comes() -> None:
    conductor = Conductor()
    for code in [*bar_codes(Header(), Section.VERSE)[:7], *bar_codes(Header(), Section.VERSE)[:2]]:
        conductor.read(code)
    assert conductor.place == 1


def test_the_end_stops_everybody() -> None:
    score = Score(Header(), (Section.VERSE, Section.END), 20, {Stream.BASS: {0: Note("cello", 40)}})
    codes = encode(score)
    assert (codes[1:, 32] == STOP).all()
    assert decode(codes) == score


def test_a_bar_cut_short_before_its_section_goes_on_with_the_last() -> None:
    codes = encode(Score(Header(), (Section.CHORUS, Section.BREAK), 19))
    assert decode(codes).sections == (Section.CHORUS, Section.CHORUS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Header(bpm=39),
        lambda: Header(beats=2),
        lambda: Header(beats=7, unit=8, swing=1),
        lambda: Hits("hard", frozenset({"ride"}), roll=2),
        lambda: Score(Header(), (Section.VERSE,), 16, {Stream.DRUMS: {0: Hits("hard", frozenset({"kick"}), 3)}}),
        lambda: Header(mood="hungry"),
        lambda: Note("piano", 84),
        lambda: Chord("piano", 12, Quality.MAJOR),
        lambda: Hits("acoustic", frozenset()),
        lambda: Score(Header(), (Section.VERSE,), 17),
        lambda: Score(Header(), (Section.END, Section.VERSE), 32),
        lambda: Score(Header(), (Section.END,), 16, {Stream.BASS: {1: Stop()}}),
        lambda: Score(Header(), (Section.VERSE,), 16, {Stream.BASS: {16: Stop()}}),
        lambda: Score(Header(), (Section.VERSE,), 16, {Stream.BASS: {0: Note("flute", 60)}}),
        lambda: Score(Header(), (Section.VERSE,), 16, {Stream.LEAD: {0: Note("flute", 60), 8: Note("violin", 60)}}),
        lambda: Score(Header(), (Section.VERSE,), 16, {Stream.CONDUCTOR: {0: Stop()}}),
        lambda: Score(Header(), (Section.VERSE,), 16, {Stream.DRUMS: {0: Hits("congas", frozenset({"kick"}))}}),
    ],
)
def test_contradictory_scores_are_rejected(make: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        make()  # type: ignore[operator]
