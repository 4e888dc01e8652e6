"""Writes a score of notes as a standard MIDI file: what was played, in the ticks of the file that was read."""

from collections.abc import Iterator, Sequence

from shared.note_score import NoteScore, TempoMap, beats_per_minute
from worker.engine.sampler.general_midi import BANKS, PROGRAMS
from worker.engine.sampler.midi_file import (
    DRUM_CHANNEL,
    Message,
    control,
    file_bytes,
    key_signature,
    marker,
    note_off,
    note_on,
    program,
    tempo_mark,
    time_signature,
    track_name,
)
from worker.engine.sampler.note_parts import PlayedPart

CHANNELS = 16


def note_midi(score: NoteScore, parts: Sequence[PlayedPart], seconds: float) -> bytes:
    """A file of format 1: a conductor track, then one for each part.

    Args:
        score: as it was read.
        parts: what plays of it.
        seconds: length of the audio; no event lies beyond it.
    """
    end = TempoMap(score.tempos, score.division).tick(seconds)
    tracks = [_track(part, channel, end) for part, channel in zip(parts, _channels(parts), strict=True)]
    return file_bytes([list(_conductor(score, end)), *tracks], end, division=score.division)


def _conductor(score: NoteScore, end: int) -> Iterator[Message]:
    yield 0, track_name("conductor")
    for tempo in score.tempos:
        if tempo.tick < end:
            yield tempo.tick, tempo_mark(beats_per_minute(tempo))
    for meter in score.meters:
        if meter.tick < end:
            yield meter.tick, time_signature(meter.beats, meter.unit)
    for key in score.keys:
        if key.tick < end:
            yield key.tick, key_signature(key.tonic, key.minor)
    for mark in score.markers:
        if mark.tick < end:
            yield mark.tick, marker(mark.text)


def _channels(parts: Sequence[PlayedPart]) -> list[int]:
    """A channel for each part, from 0: its own, or a free one if a part with another program has that already."""
    programs: dict[int, int] = {}
    found = []
    for part in (each.written for each in parts):
        channel = part.channel - 1
        if programs.setdefault(channel, part.program) != part.program and not part.is_drums:
            free = (each for each in range(CHANNELS) if each != DRUM_CHANNEL and each not in programs)
            channel = next(free, channel)
            programs[channel] = part.program
        found.append(channel)
    return found


def _track(part: PlayedPart, channel: int, end: int) -> list[Message]:
    written = part.written
    messages: list[Message] = [(0, track_name(written.name or part.instrument.name))]
    bank = BANKS.get(part.sound, 0) if PROGRAMS.get(part.sound) == written.program else 0
    messages += [(0, message) for message in program(channel, written.program, bank)]
    messages += [(each.tick, control(channel, each.number, each.value)) for each in written.controls if each.tick < end]
    sounding: list[tuple[int, bool, int, bytes]] = []
    for order, note in enumerate(written.notes):
        if note.start < end:
            last = min(note.end, end)
            sounding.append((note.start, True, 2 * order, note_on(channel, note.key, note.velocity)))
            # Notes end before others begin, but one without a length ends after it has begun.
            sounding.append((last, last == note.start, 2 * order + 1, note_off(channel, note.key)))
    return messages + [(tick, message) for tick, _, _, message in sorted(sounding)]
