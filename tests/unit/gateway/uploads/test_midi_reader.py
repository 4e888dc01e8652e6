"""The notes of MIDI files, as the decoding process reads them."""

import io
from typing import Any

import mido
import pytest

from gateway.uploads.midi_reader import UnreadableMidiError, read_midi
from shared.note_score import MOST_EVENTS, MOST_PARTS, NoteScore, TempoMap, decode_score, encode_score
from tests.midi_files import control, meta, midi_file, note, program


def read(*tracks: list[Any], **options: Any) -> NoteScore:
    return read_midi(mido.MidiFile(file=io.BytesIO(midi_file(*tracks, **options)), clip=True))


def starts_and_ends(score: NoteScore, part: int = 0) -> list[tuple[int, int]]:
    return [(each.start, each.end) for each in score.parts[part].notes]


def test_notes_keep_their_ticks_keys_and_velocities() -> None:
    score = read([*note(3, 481, 60, velocity=33), *note(7, 9, 72)], division=96)
    assert score.division == 96
    (part,) = score.parts
    assert [(each.start, each.end, each.key, each.velocity) for each in part.notes] == [
        (3, 481, 60, 33),
        (7, 9, 72, 90),
    ]


def test_a_track_is_a_part_for_each_channel_and_program() -> None:
    piano = [meta("track_name", name="Keys"), program(4), *note(0, 10, 60), program(16, tick=20), *note(20, 30, 62)]
    drums = [program(40, 9), *note(0, 10, 36, channel=9)]
    parts = read(piano, drums).parts
    assert [(each.name, each.channel, each.program, each.is_drums) for each in parts] == [
        ("Keys", 1, 4, False),
        ("Keys", 1, 16, False),
        ("", 10, 40, True),
    ]


def test_a_program_counts_for_notes_of_the_same_tick_in_any_track() -> None:
    assert read(note(0, 10, 60), [program(73)]).parts[0].program == 73


def test_ports_have_channels_of_their_own() -> None:
    second = [meta("midi_port", port=1), *note(0, 10, 62), program(73)]
    assert [part.program for part in read([program(4), *note(0, 10, 60)], second).parts] == [4, 73]


def test_the_sustain_pedal_lengthens_notes() -> None:
    score = read([control(5, 64, 127), *note(0, 10, 60), *note(0, 4, 64), control(100, 64, 0), *note(20, 30, 62)])
    assert starts_and_ends(score) == [(0, 4), (0, 100), (20, 100)]


def test_notes_without_an_end_last_to_the_end_of_the_file() -> None:
    begin = mido.Message("note_on", note=60, velocity=1, time=0)
    score = read([begin, meta("end_of_track", 960)])
    assert starts_and_ends(score) == [(0, 960)]
    assert score.losses.endless == 1


def test_the_same_key_again_ends_in_the_order_of_its_starts() -> None:
    score = read([*note(0, 10, 60), *note(5, 20, 60)])
    assert starts_and_ends(score) == [(0, 10), (5, 20)]


def test_all_notes_off_ends_what_sounds() -> None:
    assert starts_and_ends(read([*note(0, 100, 60), control(40, 123, 0)])) == [(0, 40)]


def test_tempos_meters_keys_and_markers_are_kept_in_ticks() -> None:
    conductor = [
        meta("set_tempo", tempo=500_000),
        meta("set_tempo", 480, tempo=250_000),
        meta("set_tempo", 960, tempo=250_000),
        meta("time_signature", numerator=7, denominator=8),
        meta("key_signature", key="F#m"),
        meta("marker", 480, text="  Chorus "),
    ]
    score = read(conductor, note(0, 960, 60))
    assert [(each.tick, each.microseconds) for each in score.tempos] == [(0, 500_000), (480, 250_000)]
    assert [(each.beats, each.unit) for each in score.meters] == [(7, 8)]
    assert [(each.tonic, each.minor) for each in score.keys] == [(6, True)]
    assert [(each.tick, each.text) for each in score.markers] == [(480, "Chorus")]
    assert TempoMap(score.tempos, score.division).seconds(960) == 0.75


def test_a_file_without_tempo_and_meter_has_those_of_the_format() -> None:
    score = read(note(0, 480, 60))
    assert (score.tempos[0].microseconds, score.meters[0].beats, score.meters[0].unit) == (500_000, 4, 4)


@pytest.mark.parametrize(("division", "ticks"), [(-25 << 8 | 40, 1000), (-30 << 8 | 80, 2400)])
def test_time_in_film_frames_is_exact(division: int, ticks: int) -> None:
    data = bytearray(midi_file([meta("set_tempo", tempo=10), *note(0, ticks, 60)]))
    data[12:14] = (division & 0xFFFF).to_bytes(2, "big")
    score = read_midi(mido.MidiFile(file=io.BytesIO(bytes(data))))
    assert TempoMap(score.tempos, score.division).seconds(ticks) == pytest.approx(1.0)


def test_what_is_not_kept_is_counted() -> None:
    lost = [
        mido.Message("pitchwheel", pitch=100),
        mido.Message("pitchwheel", pitch=0),
        mido.Message("aftertouch", value=3),
        mido.Message("polytouch", note=60, value=3),
        mido.Message("sysex", data=(1, 2, 3)),
    ]
    losses = read([*lost, *note(0, 10, 60)]).losses
    assert (losses.bends, losses.pressures, losses.messages) == (1, 2, 1)


@pytest.mark.parametrize("programs", [1, 60])
def test_too_many_parts_are_joined_by_program_or_family(programs: int) -> None:
    tracks = [[program(number % programs), *note(0, 10, 60)] for number in range(60)]
    score = read(*tracks)
    assert len(score.parts) <= MOST_PARTS
    assert score.losses.merged == 60 - len(score.parts)
    assert sum(len(part.notes) for part in score.parts) == 60


def test_a_file_without_notes_or_with_too_many_is_refused() -> None:
    with pytest.raises(UnreadableMidiError, match="no notes"):
        read([control(0, 7, 1)])
    with pytest.raises(UnreadableMidiError, match="Play a part of it"):
        read([control(tick, 7, 1) for tick in range(MOST_EVENTS + 1)])


def test_a_score_is_stored_and_read_as_it_is() -> None:
    score = read([program(4), control(0, 10, 3), meta("marker", text="a"), *note(0, 10, 60)])
    data, sha256 = encode_score(score)
    assert decode_score(data) == score
    assert encode_score(decode_score(data)) == (data, sha256)
    with pytest.raises(ValueError, match="127"):
        decode_score(data.replace(b"[0,10,60,90]", b"[0,10,60,190]"))
