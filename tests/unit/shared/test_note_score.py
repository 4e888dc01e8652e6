"""Time and bars of a score of notes."""

import io
from fractions import Fraction

import mido
import pretty_midi
import pytest
from msgspec.structs import replace

from gateway.uploads.midi_reader import read_midi
from shared.note_score import MeterMark, TempoMap, TempoMark, bar_of, beats_per_minute
from tests.midi_files import meta, midi_file, note


@pytest.mark.parametrize(
    ("microseconds", "bpm"),
    [(500_000, 120), (483_871, 124), (483_870, 124), (648_649, Fraction("92.5")), (545_454, 110), (461_538, 130)],
)
def test_a_tempo_is_the_one_that_was_rounded(microseconds: int, bpm: Fraction) -> None:
    assert beats_per_minute(TempoMark(0, microseconds)) == bpm


@pytest.mark.parametrize("microseconds", [1, 487_123, 2**24 - 1])
def test_another_tempo_is_off_by_less_than_a_microsecond(microseconds: int) -> None:
    assert abs(60_000_000 / beats_per_minute(TempoMark(0, microseconds)) - microseconds) < 1


def test_times_are_those_of_another_reader() -> None:
    """pretty_midi computes them by itself."""
    tempos = [meta("set_tempo", tick, tempo=tempo) for tick, tempo in ((0, 500_000), (100, 333_333), (1000, 700_001))]
    data = midi_file(tempos, note(0, 50, 60), note(500, 5000, 61), division=220)
    score = read_midi(mido.MidiFile(file=io.BytesIO(data)))
    times = TempoMap(score.tempos, score.division)
    other = pretty_midi.PrettyMIDI(io.BytesIO(data))
    for tick in (0, 1, 99, 100, 101, 500, 999, 1000, 4999):
        assert times.seconds(tick) == pytest.approx(other.tick_to_time(tick), abs=1e-4)
        assert times.tick(times.seconds(tick)) == tick


def test_bars_are_counted_through_changes_of_the_meter() -> None:
    score = read_midi(mido.MidiFile(file=io.BytesIO(midi_file(note(0, 10, 60)))))
    score = replace(score, meters=(MeterMark(0, 3, 4), MeterMark(2880, 4, 4)))
    assert [bar_of(score, tick) for tick in (0, 1439, 1440, 2879, 2880, 4800)] == [1, 1, 2, 2, 3, 4]
