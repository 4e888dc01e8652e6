"""Reads the notes of a standard MIDI file. Untrusted files are read only in the decoding process, which is limited.

Times stay in the file's own ticks, so nothing is quantised.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.music import parse_key
from shared.note_score import (
    DEFAULT_TEMPO,
    EXPRESSION,
    LONGEST_TEXT,
    MOST_EVENTS,
    MOST_MARKS,
    MOST_PARTS,
    PAN,
    VOLUME,
    Control,
    KeyMark,
    Losses,
    Marker,
    MeterMark,
    NotePart,
    NoteScore,
    TempoMark,
    TimedNote,
)

DRUM_CHANNEL = 9
SUSTAIN, ALL_SOUND_OFF, RESET, ALL_NOTES_OFF = 64, 120, 121, 123

# A pedal is down from this value on.
PEDAL_DOWN = 64
# The expression after a reset (RP-015).
RESET_EXPRESSION = 127
# Files that count time in SMPTE frames have no quarter notes: a second takes their place.
SECOND = 1_000_000
# The nominal and the real frame rate of colour television.
NTSC, NTSC_FRAMES = 29, 30


class UnreadableMidiError(Exception):
    """The file cannot be played; the message tells the client why."""


class _Voice(NamedTuple):
    """What becomes one part: a track on one channel of one port, with one program."""

    track: int
    port: int
    channel: int
    program: int


@dataclass
class _Channel:
    """The state of one channel of one port.

    Attributes:
        sounding: by key, the notes that wait for their end: their lines, starts and velocities.
        held: notes that ended while the pedal was down.
    """

    program: int = 0
    pedal: bool = False
    sounding: defaultdict[int, list[tuple[_Voice, int, int]]] = field(default_factory=lambda: defaultdict(list))
    held: list[tuple[_Voice, int, int, int]] = field(default_factory=list)


def read_midi(file: Any) -> NoteScore:
    """The score of a `mido.MidiFile`.

    Raises:
        UnreadableMidiError: if it has too much, or no notes.
    """
    return _Reader(file).read()


class _Reader:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._names = [track.name[:LONGEST_TEXT] for track in file.tracks]
        self._channels: defaultdict[tuple[int, int], _Channel] = defaultdict(_Channel)
        self._notes: defaultdict[_Voice, list[TimedNote]] = defaultdict(list)
        self._controls: defaultdict[tuple[int, int], list[Control]] = defaultdict(list)
        self._tempos: list[TempoMark] = []
        self._meters: list[MeterMark] = []
        self._keys: list[KeyMark] = []
        self._markers: list[Marker] = []
        self._losses: Counter[str] = Counter()
        self._count = 0
        self._end = 0

    def read(self) -> NoteScore:
        for tick, track, port, message in _in_order(self._file):
            self._end = tick
            if self._end >= 2**31:
                raise UnreadableMidiError("It is too long.")
            if message.is_meta:
                self._read_meta(tick, message)
            elif message.type == "sysex":
                self._losses["messages"] += 1
            elif hasattr(message, "channel"):
                self._read_message(tick, track, (port, message.channel), message)
        self._end_all()
        return self._score()

    def _read_meta(self, tick: int, message: Any) -> None:
        match message.type:
            case "set_tempo":
                self._tempos.append(TempoMark(tick, max(message.tempo, 1)))
            case "time_signature" if message.numerator and message.denominator <= 256:
                self._meters.append(MeterMark(tick, message.numerator, message.denominator))
            case "key_signature":
                key = parse_key(message.key)
                self._keys.append(KeyMark(tick, key.tonic, key.minor))
            case "marker" if message.text.strip():
                self._markers.append(Marker(tick, " ".join(message.text.split())[:LONGEST_TEXT]))

    def _read_message(self, tick: int, track: int, place: tuple[int, int], message: Any) -> None:
        channel = self._channels[place]
        match message.type:
            case "note_on" if message.velocity:
                self._count_event()
                line = _Voice(track, *place, channel.program)
                channel.sounding[message.note].append((line, tick, message.velocity))
            case "note_on" | "note_off":
                if waiting := channel.sounding[message.note]:
                    self._release(channel, message.note, tick, *waiting.pop(0))
            case "program_change":
                channel.program = message.program
            case "control_change":
                self._read_control(tick, place, channel, message)
            case "pitchwheel" if message.pitch:
                self._losses["bends"] += 1
            case "aftertouch" | "polytouch":
                self._losses["pressures"] += 1

    def _read_control(self, tick: int, place: tuple[int, int], channel: _Channel, message: Any) -> None:
        if message.control in (VOLUME, PAN, EXPRESSION):
            self._add_control(place, tick, message.control, message.value)
        elif message.control == SUSTAIN:
            channel.pedal = message.value >= PEDAL_DOWN
            if not channel.pedal:
                self._lift(channel, tick)
        elif message.control == RESET:
            channel.pedal = False
            self._lift(channel, tick)
            self._add_control(place, tick, EXPRESSION, RESET_EXPRESSION)
        elif message.control in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            self._silence(channel, tick)

    def _add_control(self, place: tuple[int, int], tick: int, number: Any, value: int) -> None:
        self._count_event()
        self._controls[place].append(Control(tick, number, value))

    def _count_event(self) -> None:
        self._count += 1
        if self._count > MOST_EVENTS:
            raise UnreadableMidiError(f"It has more than {MOST_EVENTS} notes and changes of volume. Play a part of it.")

    def _release(self, channel: _Channel, key: int, tick: int, line: _Voice, start: int, velocity: int) -> None:
        if channel.pedal:
            channel.held.append((line, start, key, velocity))
        else:
            self._notes[line].append(TimedNote(start, tick, key, velocity))

    def _lift(self, channel: _Channel, tick: int) -> None:
        """End what the pedal held."""
        for line, start, key, velocity in channel.held:
            self._notes[line].append(TimedNote(start, tick, key, velocity))
        channel.held.clear()

    def _silence(self, channel: _Channel, tick: int) -> int:
        """End all notes of a channel; returns how many had no end."""
        self._lift(channel, tick)
        ended = 0
        for key, waiting in channel.sounding.items():
            for line, start, velocity in waiting:
                self._notes[line].append(TimedNote(start, tick, key, velocity))
                ended += line.channel != DRUM_CHANNEL
            waiting.clear()
        return ended

    def _end_all(self) -> None:
        for channel in self._channels.values():
            self._losses["endless"] += self._silence(channel, self._end)

    def _score(self) -> NoteScore:
        if not self._notes:
            raise UnreadableMidiError("It has no notes.")
        division, fixed = _division(self._file.ticks_per_beat)
        return NoteScore(
            division=division,
            tempos=(fixed,) if fixed else _from_start(self._tempos, TempoMark(0, DEFAULT_TEMPO)),
            meters=_from_start(self._meters, MeterMark(0, 4, 4)),
            keys=_changes(self._keys),
            markers=tuple(self._markers[:MOST_MARKS]),
            parts=tuple(self._parts()),
            end=self._end,
            losses=Losses(**self._losses),
        )

    def _parts(self) -> Iterator[NotePart]:
        groups = _grouped(sorted(self._notes))
        self._losses["merged"] = len(self._notes) - len(groups)
        for lines in groups:
            first = lines[0]
            notes = sorted((note for line in lines for note in self._notes[line]), key=lambda note: note.start)
            yield NotePart(
                name=self._names[first.track].strip(),
                channel=first.channel + 1,
                program=first.program,
                is_drums=first.channel == DRUM_CHANNEL,
                notes=tuple(notes),
                controls=tuple(self._controls[first.port, first.channel]),
            )


def _in_order(file: Any) -> Iterator[tuple[int, int, int, Any]]:
    """All messages with tick, track and port. At the same tick, programs and meta messages come first."""
    found = []
    for number, track in enumerate(file.tracks):
        tick = port = 0
        for message in track:
            tick += message.time
            if message.type == "midi_port":
                port = message.port
            is_later = not (message.is_meta or message.type == "program_change")
            found.append((tick, is_later, number, port, message))
    found.sort(key=lambda each: each[:3])
    for tick, _, number, port, message in found:
        yield tick, number, port, message


def _division(ticks: int) -> tuple[int, TempoMark | None]:
    """Ticks per quarter note. A negative number has SMPTE frames per second in its high byte, and ticks in its low one.

    For those also the tempo, which no message of the file changes.

    Raises:
        UnreadableMidiError: if there are none.
    """
    if ticks > 0:
        return ticks, None
    frames, each = -(ticks >> 8), ticks & 0xFF
    if not frames or not each:
        raise UnreadableMidiError("It counts no time.")
    if frames == NTSC:
        return NTSC_FRAMES * each, TempoMark(0, round(SECOND * 1001 / 1000))
    return frames * each, TempoMark(0, SECOND)


def _changes(marks: list[Any]) -> tuple[Any, ...]:
    """The marks that change something: of several at a tick the last one."""
    last = {mark.tick: mark for mark in marks}
    found: list[Any] = []
    for mark in sorted(last.values(), key=lambda mark: mark.tick):
        if not found or _value(mark) != _value(found[-1]):
            found.append(mark)
    if len(found) > MOST_MARKS:
        raise UnreadableMidiError(f"It changes tempo, meter or key more than {MOST_MARKS} times.")
    return tuple(found)


def _value(mark: Any) -> tuple[Any, ...]:
    return tuple(getattr(mark, name) for name in mark.__struct_fields__ if name != "tick")


def _from_start(marks: list[Any], default: Any) -> tuple[Any, ...]:
    """The changes, with the default at the beginning if the file begins with none."""
    return _changes([default, *marks])


def _grouped(lines: list[_Voice]) -> list[list[_Voice]]:
    """The lines of each part: one, unless there are too many; then those of a program, or else of a family, share one.

    Families are General MIDI's groups of eight programs. All kits are one family.
    """
    keys: tuple[Callable[[_Voice], Any], ...] = (
        lambda line: line,
        lambda line: (line.channel == DRUM_CHANNEL, line.program),
        lambda line: (line.channel == DRUM_CHANNEL, 0 if line.channel == DRUM_CHANNEL else line.program // 8),
    )
    for key in keys:
        groups: dict[Any, list[_Voice]] = {}
        for line in lines:
            groups.setdefault(key(line), []).append(line)
        if len(groups) <= MOST_PARTS:
            break
    return list(groups.values())
