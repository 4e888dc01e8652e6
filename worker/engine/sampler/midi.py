"""A score as a standard MIDI file: one track per stream, on the grid of a DAW.

Programs and drum keys are those of General MIDI 2 (RP-024), from 0.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from worker.engine.sampler.codes import Codes, event_of
from worker.engine.sampler.conductor import Conductor
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
    tempo,
    time_signature,
    track_name,
)
from worker.engine.sampler.patches import patch_of
from worker.engine.sampler.score import STEPS_PER_BEAT, Chord, Event, Header, Hits, Note, Section, Stop
from worker.engine.sampler.voicing import voice_chord

PROGRAMS: dict[str, int] = {
    "piano": 0, "electric piano": 4, "bells": 14, "marimba": 12, "organ": 16, "harmonica": 22,
    "acoustic guitar": 25, "mandolin": 25, "electric guitar": 27, "distorted guitar": 30,
    "double bass": 32, "bass guitar": 33, "synth bass": 38, "violin": 40, "cello": 42, "harp": 46, "timpani": 47,
    "strings": 48, "choir": 52, "trumpet": 56, "brass": 61, "saxophone": 66, "clarinet": 71, "flute": 73,
    "synthesizer": 81, "pads": 89, "banjo": 105, "fiddle": 110,
}  # fmt: skip

# Bank numbers of variations: General MIDI 2 has the mandolin as a variation of the steel guitar.
BANKS: dict[str, int] = {"mandolin": 16}

DRUM_PROGRAMS: dict[str, int] = {"acoustic": 0, "electronic": 25, "brushes": 40, "hard": 16, "lofi": 32}

DRUM_KEYS: dict[str, int] = {
    "kick": 36, "snare": 38, "clap_or_rim": 37, "closed_hat": 42, "open_hat": 46, "ride": 51, "crash": 49,
    "high_tom": 48, "low_tom": 43, "shaker_or_tambourine": 82, "high_conga": 63, "low_conga": 64, "timpani": 41,
}  # fmt: skip


TICKS = DIVISION // STEPS_PER_BEAT
SWING_TICKS = (0, TICKS // 6, TICKS // 3)
VELOCITIES = (58, 84, 112)
CHORD_VELOCITIES = (64, 96)


def midi(codes: Codes, exact_tempo: Fraction | None = None) -> bytes:
    """Write a file of format 1: a conductor track (tempo, signatures, sections), then one for each stream that plays.

    Swing is in the ticks. Vinyl crackle has no note and is left out. The timpani of the percussion are always a C.

    Args:
        codes: integers of shape [8, steps]; invalid codes count as "no event".
        exact_tempo: see `Clock`.
    """
    tracks = {stream: _Track(stream) for stream in list(Stream)[1:]}
    conductor, header = Conductor(), None
    signs: list[Message] = [(0, track_name("conductor"))]
    step = 0
    for column in codes.T:
        section, was_over = conductor.section, conductor.is_over
        conductor.read(int(column[Stream.CONDUCTOR]))
        if conductor.counts_in:
            continue
        signs += _signs(step * TICKS, header, conductor.header, exact_tempo)
        signs += _sections(step, conductor, section if header else None)
        header = conductor.header
        tick = step * TICKS + SWING_TICKS[header.swing] * (conductor.place % 2)
        for stream, track in tracks.items() if not was_over else ():
            event = event_of(stream, int(column[stream]), conductor.player(stream), header.key)
            if event is not None:
                track.take(event, tick)
            if conductor.is_over:
                track.take(Stop(), tick)
        step += 1
    for track in tracks.values():
        track.take(Stop(), step * TICKS)
    return file_bytes([signs, *(track.messages for track in tracks.values() if len(track.messages) > 1)])


def _signs(tick: int, before: Header | None, now: Header, exact_tempo: Fraction | None) -> list[Message]:
    """Messages for a changed tempo, time signature or key signature."""
    signs: list[Message] = []
    if before is None or before.bpm != now.bpm:
        signs.append((tick, tempo(Fraction(now.bpm) if exact_tempo is None else exact_tempo)))
    if before is None or before.beats != now.beats:
        signs.append((tick, time_signature(now.beats)))
    if before is None or (before.key, before.minor) != (now.key, now.minor):
        signs.append((tick, key_signature(now.key, now.minor)))
    return signs


def _sections(step: int, conductor: Conductor, before: Section | None) -> list[Message]:
    """A marker at the beginning of the bar that changes the section; the section's code comes three steps later."""
    if conductor.section is before:
        return []
    return [((step - conductor.place) * TICKS, marker(conductor.section.name.lower()))]


@dataclass
class _Track:
    """Collects a stream's messages. Its channel is the stream's number, or the drum channel."""

    stream: Stream
    messages: list[Message] = field(default_factory=list)
    _sounding: tuple[int, ...] = ()
    _sound: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.messages.append((0, track_name(self.stream.name.lower())))

    @property
    def _channel(self) -> int:
        return DRUM_CHANNEL if self.stream in HIT_STREAMS else self.stream - 1

    def take(self, event: Event, tick: int) -> None:
        """Add an event at a tick."""
        self.messages += [(tick, note_off(self._channel, pitch)) for pitch in self._sounding]
        self._sounding = ()
        match event:
            case Note():
                self._choose(PROGRAMS[event.instrument], BANKS.get(event.instrument, 0), tick)
                self._sound_notes((event.pitch,), VELOCITIES[event.velocity], tick)
            case Chord():
                self._choose(PROGRAMS[event.instrument], BANKS.get(event.instrument, 0), tick)
                pitches = voice_chord(event.root, event.quality, patch_of(event.instrument, self.stream).centre)
                self._sound_notes(pitches, CHORD_VELOCITIES[event.velocity], tick)
            case Hits() if event.kit != CRACKLE:
                if self.stream is Stream.DRUMS:
                    self._choose(DRUM_PROGRAMS[event.kit], 0, tick)
                keys = tuple(sorted(DRUM_KEYS[piece] for piece in event.pieces))
                self._sound_notes(keys, VELOCITIES[event.accent], tick)

    def _choose(self, number: int, bank: int, tick: int) -> None:
        if self._sound != (number, bank):
            self.messages += [(tick, message) for message in program(self._channel, number, bank)]
            self._sound = (number, bank)

    def _sound_notes(self, pitches: tuple[int, ...], velocity: int, tick: int) -> None:
        self.messages += [(tick, note_on(self._channel, pitch, velocity)) for pitch in pitches]
        self._sounding = pitches
