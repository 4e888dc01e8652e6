"""A score as a standard MIDI file: one track per part, on the grid of a DAW. It ends where the audio ends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from worker.engine.sampler.clock import SAMPLE_RATE, swing_share
from worker.engine.sampler.codes import Codes, decode
from worker.engine.sampler.conductor import SECTION_PLACE
from worker.engine.sampler.general_midi import (
    BANKS,
    DRUM_KEYS,
    DRUM_PROGRAMS,
    PROGRAMS,
    TIMPANI_CHANNEL,
    pitched_channel,
)
from worker.engine.sampler.instruments import CRACKLE, HIT_STREAMS, Stream
from worker.engine.sampler.midi_file import (
    DIVISION,
    DRUM_CHANNEL,
    Message,
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
from worker.engine.sampler.parts import TIMPANI, parts_of
from worker.engine.sampler.patches import TIMPANI_LOWEST, patch_of
from worker.engine.sampler.score import STEPS_PER_BEAT, Chord, Event, Hits, Note, Score, Stop
from worker.engine.sampler.voicing import voice_chord

TICKS = DIVISION // STEPS_PER_BEAT
VELOCITIES = (58, 84, 112, 36, 71, 126)
CHORD_VELOCITIES = (64, 96, 44, 116)


def midi(codes: Codes, tempo: Fraction | None = None, samples: int | None = None) -> bytes:
    """Write a file of format 1: a conductor track (tempo, signatures, sections), then one for each part.

    Swing is in the ticks. Vinyl crackle has no note and is left out. The timpani of the percussion have a track and a
    channel of their own, because they have a pitch: the tonic's, as the sampler plays them.

    Args:
        codes: integers of shape [8, steps]; invalid codes count as "no event".
        tempo: see `Clock`.
        samples: length of the audio; None is that of all steps. No event lies beyond it.
    """
    score = decode(codes)
    tempo = Fraction(score.header.bpm) if tempo is None else tempo
    end = score.steps * TICKS if samples is None else round(Fraction(samples, SAMPLE_RATE) * tempo / 60 * DIVISION)
    tracks = [_track(notes, score, end) for notes in _lines(score)]
    return file_bytes([_conductor(score, tempo, end), *filter(None, tracks)], end)


def _conductor(score: Score, tempo: Fraction, end: int) -> list[Message]:
    """Tempo, signatures, and a marker at the beginning of each bar that changes the section."""
    header, before = score.header, None
    signs: list[Message] = [
        (0, track_name("conductor")),
        (0, tempo_mark(tempo)),
        (0, time_signature(header.beats, header.unit)),
        (0, key_signature(header.key, header.minor)),
    ]
    for bar, section in enumerate(score.sections):
        if section is not before and (tick := bar * header.steps * TICKS) < end:
            signs.append((tick, marker(section.name.lower())))
        before = section
    return signs


class _Line(NamedTuple):
    """What one track plays: events by step."""

    name: str
    stream: Stream
    channel: int
    events: Mapping[int, Event]


def _lines(score: Score) -> Iterator[_Line]:
    for stream, part in parts_of(score).items():
        events = score.events[stream]
        if stream not in HIT_STREAMS:
            yield _Line(part.name, stream, pitched_channel(stream), events)
            continue
        drums = {step: _unpitched(event) for step, event in events.items()}
        name = next((each.name for each in part.instruments if each.channel == DRUM_CHANNEL + 1), part.name)
        yield _Line(name, stream, DRUM_CHANNEL, drums)
        timpani = {step: _pitched(event, score.header.key) for step, event in events.items()}
        yield _Line(TIMPANI, stream, TIMPANI_CHANNEL, timpani)


def _unpitched(event: Event) -> Event:
    """Hits without the timpani."""
    if not isinstance(event, Hits) or event.kit == CRACKLE or event.pieces == {TIMPANI}:
        return Stop()
    return replace(event, pieces=event.pieces - {TIMPANI})


def _pitched(event: Event, key: int) -> Event:
    """The timpani of hits as a note."""
    if not isinstance(event, Hits) or event.kit == CRACKLE or TIMPANI not in event.pieces:
        return Stop()
    return Note(TIMPANI, TIMPANI_LOWEST + key, event.accent)


def _track(line: _Line, score: Score, end: int) -> list[Message]:
    """The messages of a track; none if it has no note."""
    track = _Track(line.channel)
    for step, event in sorted(line.events.items()):
        tick = step * TICKS + int(TICKS * swing_share(score.header.swing, step % score.header.steps))
        if tick < end:
            track.take(event, line.stream, tick)
    track.take(Stop(), line.stream, end if score.end_step is None else min(end, _closing(score.end_step)))
    return [(0, track_name(line.name)), *track.messages] if track.messages else []


def _closing(end_step: int) -> int:
    """Where the last notes of a piece with an end are released: where its last bar declares the end."""
    return (end_step + SECTION_PLACE) * TICKS


@dataclass
class _Track:
    """Collects messages on a channel."""

    channel: int
    messages: list[Message] = field(default_factory=list)
    _sounding: tuple[int, ...] = ()
    _sound: tuple[int, int] | None = None

    def take(self, event: Event, stream: Stream, tick: int) -> None:
        """Add an event at a tick."""
        self._release(tick)
        match event:
            case Note():
                self._choose(PROGRAMS[event.instrument], BANKS.get(event.instrument, 0), tick)
                self._sound_notes((event.pitch,), VELOCITIES[event.velocity], tick)
            case Chord():
                self._choose(PROGRAMS[event.instrument], BANKS.get(event.instrument, 0), tick)
                pitches = voice_chord(event.root, event.quality, patch_of(event.instrument, stream).centre)
                self._sound_notes(pitches, CHORD_VELOCITIES[event.velocity], tick)
            case Hits():
                if stream is Stream.DRUMS:
                    self._choose(DRUM_PROGRAMS[event.kit], 0, tick)
                keys = tuple(sorted(DRUM_KEYS[piece] for piece in event.pieces))
                for strike in range(event.roll):
                    self._sound_notes(keys, VELOCITIES[event.accent], tick + TICKS * strike // event.roll)

    def _release(self, tick: int) -> None:
        self.messages += [(tick, note_off(self.channel, pitch)) for pitch in self._sounding]
        self._sounding = ()

    def _choose(self, number: int, bank: int, tick: int) -> None:
        if self._sound != (number, bank):
            self.messages += [(tick, message) for message in program(self.channel, number, bank)]
            self._sound = (number, bank)

    def _sound_notes(self, pitches: tuple[int, ...], velocity: int, tick: int) -> None:
        self._release(tick)
        self.messages += [(tick, note_on(self.channel, pitch, velocity)) for pitch in pitches]
        self._sounding = pitches
