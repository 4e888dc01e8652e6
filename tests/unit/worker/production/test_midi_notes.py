"""Notes are read from the starter's own files and from those of another writer."""

import io

import mido
import pytest

from tests.unit.worker.engine.sampler.songs import song
from tests.unit.worker.engine.sampler.test_midi import read
from worker.engine.sampler.codes import encode
from worker.engine.sampler.midi import midi
from worker.engine.sampler.score import Header
from worker.production.midi_notes import InvalidMidiError, MidiNote, read_note_tracks


def written(*messages: mido.Message) -> bytes:
    file, target = mido.MidiFile(ticks_per_beat=96), io.BytesIO()
    file.tracks.append(mido.MidiTrack(messages))
    file.save(file=target)
    return target.getvalue()


GOOD = written(mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=96))


def test_every_note_of_the_starter_is_read() -> None:
    file = midi(encode(song(Header(120, 4, 0, 9, True))))
    tracks = read_note_tracks(file)
    assert len(tracks) > 2
    for track, messages in zip(tracks, read(file)[1:], strict=True):
        begun = sorted((tick / 480, message[1], message[2]) for tick, message in messages if message[0] & 0xF0 == 0x90)
        assert [(note.start, note.key, note.velocity) for note in track.notes] == begun
        assert all(note.length > 0 for note in track.notes)
        assert messages[0][1].endswith(track.name.encode())
        assert {message[0] & 0x0F for _, message in messages if message[0] < 0xF0} == {track.channel - 1}
        chosen = [message[1] for _, message in messages if message[0] & 0xF0 == 0xC0]
        assert track.program == (chosen[0] if chosen else None)


def test_tracks_without_notes_and_notes_without_an_end_are_left_out() -> None:
    assert read_note_tracks(written(mido.Message("program_change", program=3))) == []
    (track,) = read_note_tracks(written(mido.Message("note_on", note=60)))
    assert (track.channel, track.program, track.notes) == (1, None, ())


def test_two_notes_of_the_same_pitch_end_in_order() -> None:
    (track,) = read_note_tracks(
        written(
            mido.Message("note_on", note=60, velocity=10, time=0),
            mido.Message("note_on", note=60, velocity=20, time=96),
            mido.Message("note_off", note=60, velocity=30, time=96),
            mido.Message("note_on", note=60, velocity=0, time=96),
        )
    )
    assert track.notes == (MidiNote(0, 2, 60, 10, 30), MidiNote(1, 2, 60, 20, 0))


@pytest.mark.parametrize(
    "file",
    [b"", b"RIFF", GOOD[:30], GOOD[:-4] + b"\x90\xff\xff\xff", GOOD[:12] + b"\0\0" + GOOD[14:], b"MThd\0\0\0\2\0\1"],
)
def test_an_invalid_file_is_refused_whatever_is_wrong_with_it(file: bytes) -> None:
    with pytest.raises(InvalidMidiError):
        read_note_tracks(file)
