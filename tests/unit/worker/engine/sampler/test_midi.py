"""Reads back what was written, with a reader that knows only the format."""

import io
import struct
from fractions import Fraction

import mido
import pretty_midi
import pytest

from tests.unit.worker.engine.sampler.songs import POP, song
from worker.engine.sampler.codes import encode
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.midi import midi
from worker.engine.sampler.midi_file import key_signature
from worker.engine.sampler.score import Chord, Event, Header, Hits, Note, Quality, Score, Section, Stop

Message = tuple[int, bytes]


def read(data: bytes) -> list[list[Message]]:
    kind, length, form, count, division = struct.unpack(">4sIHHH", data[:14])
    assert (kind, length, form, division) == (b"MThd", 6, 1, 480)
    tracks, at = [], 14
    for _ in range(count):
        kind, length = struct.unpack(">4sI", data[at : at + 8])
        assert kind == b"MTrk"
        tracks.append(read_track(data[at + 8 : at + 8 + length]))
        at += 8 + length
    assert at == len(data)
    return tracks


def read_track(data: bytes) -> list[Message]:
    found, tick, at = [], 0, 0
    while at < len(data):
        delta, at = read_length(data, at)
        tick += delta
        begin = at
        if data[at] == 0xFF:
            size, at = read_length(data, at + 2)
            at += size
        else:
            at += 2 if data[at] & 0xF0 == 0xC0 else 3
        found.append((tick, data[begin:at]))
    assert found[-1][1] == b"\xff\x2f\x00"
    return found[:-1]


def read_length(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while True:
        value = value << 7 | data[at] & 0x7F
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def test_a_conductor_track_says_tempo_time_key_and_sections() -> None:
    score = Score(Header(120, 3, 0, 9, True), (Section.INTRO, Section.CHORUS), 24)
    [[name, *signs]] = read(midi(encode(score)))

    assert name[1].endswith(b"conductor")
    assert (0, b"\xff\x51\x03" + (500_000).to_bytes(3, "big")) in signs
    assert (0, bytes((0xFF, 0x58, 4, 3, 2, 24, 8))) in signs
    assert (120, b"\xff\x59\x02\x00\x01") in signs or (0, b"\xff\x59\x02\x00\x01") in signs
    assert (12 * 120, b"\xff\x06\x06chorus") in signs


@pytest.mark.parametrize(
    ("key", "minor", "sharps"),
    [(0, False, 0), (7, False, 1), (5, False, -1), (9, True, 0), (4, True, 1), (2, True, -1)],
)
def test_key_signatures(key: int, minor: bool, sharps: int) -> None:
    assert key_signature(key, minor)[3:] == struct.pack(">bB", sharps, minor)


def test_notes_lie_on_exact_ticks() -> None:
    events: dict[int, Event] = {0: Note("flute", 72, 2), 3: Note("flute", 74, 0), 8: Stop(), 17: Note("trumpet", 60)}
    tracks = read(midi(encode(Score(Header(133, 4, 1), (Section.VERSE,) * 2, 32, {Stream.LEAD: events}))))

    assert len(tracks) == 2
    assert tracks[1][1:] == [
        (0, b"\xb4\x00\x00"),
        (0, b"\xc4\x49"),
        (0, b"\x94\x48\x70"),
        (3 * 120 + 20, b"\x84\x48\x40"),
        (3 * 120 + 20, b"\x94\x4a\x3a"),
        (8 * 120, b"\x84\x4a\x40"),
        (17 * 120 + 20, b"\xb4\x00\x00"),
        (17 * 120 + 20, b"\xc4\x38"),
        (17 * 120 + 20, b"\x94\x3c\x54"),
        (32 * 120, b"\x84\x3c\x40"),
    ]


def test_drums_are_on_channel_ten_and_chords_are_voiced() -> None:
    score = Score(
        Header(key=9),
        (Section.VERSE,) * 2,
        32,
        {
            Stream.DRUMS: {0: Hits("electronic", frozenset({"kick", "crash"}))},
            Stream.PERCUSSION: {
                4: Hits("vinyl crackle", frozenset({"high_tom"})),
                24: Hits("congas", frozenset({"low_conga", "timpani"})),
            },
            Stream.CHORDS: {0: Chord("piano", 0, Quality.MINOR7)},
        },
    )
    file = midi(encode(score))
    _, chords, drums, percussion, timpani = read(file)

    assert {found[1][1] % 12 for found in chords if found[1][0] == 0x91} == {0, 3, 7, 10}
    assert {found[1][1] for found in drums if found[1][0] == 0x99} == {36, 49}
    assert (0, b"\xc9\x19") in drums
    assert [found for found in percussion if found[1][0] == 0x99] == [(24 * 120, b"\x99\x40\x54")]
    assert [found for found in timpani if found[1][0] & 0xF0 in (0x90, 0xC0)] == [
        (24 * 120, b"\xc6\x2f"),
        (24 * 120, b"\x96\x2d\x54"),
    ]
    names = [track.name for track in mido.MidiFile(file=io.BytesIO(file)).tracks]
    assert names == ["conductor", "piano", "drum machine", "congas", "timpani"]


def test_every_note_that_begins_ends() -> None:
    for track in read(midi(encode(song(Header(120, 4, 2), POP, 4)))):
        sounding: set[tuple[int, int]] = set()
        for _, message in track:
            voice = (message[0] & 0xF, message[1])
            if message[0] & 0xF0 == 0x90:
                assert voice not in sounding
                sounding.add(voice)
            elif message[0] & 0xF0 == 0x80:
                sounding.remove(voice)
        assert not sounding


def test_nothing_is_played_after_the_end() -> None:
    codes = encode(song(Header(), POP, 1))
    codes[Stream.LEAD, 24] = codes[Stream.LEAD, 0]
    notes = [found for track in read(midi(codes)) for found in track if found[1][0] & 0xF0 == 0x90]
    assert max(tick for tick, _ in notes) < 16 * 120


@pytest.mark.parametrize(("bpm", "samples"), [("92.5", 200_001), ("240", 77_777), ("40.1", 31_000)])
@pytest.mark.parametrize("swing", [0, 2])
def test_foreign_readers_find_every_track_to_end_with_the_audio(bpm: str, samples: int, swing: int) -> None:
    tempo = Fraction(bpm)
    header = Header(min(round(tempo), 200), 4, swing)
    file = midi(encode(song(header, POP, 4)), tempo, samples)
    end = round(Fraction(samples, 32_000) * tempo / 60 * 480)
    read_back = mido.MidiFile(file=io.BytesIO(file))
    assert (read_back.type, read_back.ticks_per_beat) == (1, 480)
    for track in read_back.tracks:
        assert sum(message.time for message in track) == end
        assert len([each for each in track if each.type == "note_on"]) == len(
            [each for each in track if each.type == "note_off"]
        )
    # mido counts with the tempo event's whole microseconds.
    assert read_back.length == pytest.approx(samples / 32_000, abs=60 / float(tempo) / 480)
    score = pretty_midi.PrettyMIDI(io.BytesIO(file))
    assert score.get_tempo_changes()[1] == pytest.approx([float(tempo)], rel=3e-6)
    assert max(note.end for part in score.instruments for note in part.notes) <= score.tick_to_time(end)
    assert len({part.name for part in score.instruments}) == len(score.instruments) == len(read_back.tracks) - 1
