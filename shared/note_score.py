"""A score of notes in parts, as a MIDI file has it: what is stored of a file that a job plays.

It is stored beside the uploads, by its checksum, so that neither recipes nor records hold its notes.
"""

import bisect
import hashlib
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from shared.music import Key
from shared.uploaded_files import UPLOADS_PREFIX, owner_folder

# Notes and controls together.
MOST_EVENTS = 50_000
MOST_MARKS = 20_000
MOST_PARTS = 24
LONGEST_TEXT = 60
# Of the stored score, in bytes.
MOST_BYTES = 8 * 1024 * 1024
# Microseconds per quarter note until a file sets a tempo: 120 BPM.
DEFAULT_TEMPO = 500_000
# Of a bar: notes that end this little after a bar line do not fill another bar.
OVERHANG = Fraction(1, 32)

Tick = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Data = Annotated[int, Meta(ge=0, le=127)]
Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
VOLUME: Final = 7
PAN: Final = 10
EXPRESSION: Final = 11


class TimedNote(msgspec.Struct, frozen=True, array_like=True):
    """A note, from tick to tick; the sustain pedal is in its end."""

    start: Tick
    end: Tick
    key: Data
    velocity: Annotated[int, Meta(ge=1, le=127)]


class Control(msgspec.Struct, frozen=True, array_like=True):
    """A change of volume, pan or expression."""

    tick: Tick
    number: Literal[7, 10, 11]
    value: Data


class TempoMark(msgspec.Struct, frozen=True, array_like=True):
    """A tempo from a tick on, in microseconds per quarter note."""

    tick: Tick
    microseconds: Annotated[int, Meta(ge=1, le=2**24 - 1)]


class MeterMark(msgspec.Struct, frozen=True, array_like=True):
    """A meter from a tick on."""

    tick: Tick
    beats: Annotated[int, Meta(ge=1, le=255)]
    unit: Annotated[int, Meta(ge=1, le=256)]


class KeyMark(msgspec.Struct, frozen=True, array_like=True):
    """A key signature; `tonic` is the pitch class, 0 is C."""

    tick: Tick
    tonic: Annotated[int, Meta(ge=0, le=11)]
    minor: bool


class Marker(msgspec.Struct, frozen=True, array_like=True):
    """A named place."""

    tick: Tick
    text: Text


class NotePart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one track plays on one channel with one program.

    Attributes:
        name: of the track.
        channel: from 1.
        program: General MIDI program from 0; of drums the kit's.
        notes: in the order of their starts.
    """

    name: Text = ""
    channel: Annotated[int, Meta(ge=1, le=16)]
    program: Data = 0
    is_drums: bool = False
    notes: Annotated[tuple[TimedNote, ...], Meta(min_length=1, max_length=MOST_EVENTS)]
    controls: Annotated[tuple[Control, ...], Meta(max_length=MOST_EVENTS)] = ()


class Losses(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many events of a file the score does not have.

    Attributes:
        bends: pitch bends.
        pressures: changes of the pressure on keys.
        messages: messages for a device of one maker (SysEx).
        endless: notes without an end, which end with the file.
        merged: parts that were joined with another one, because there are too many.
    """

    bends: int = 0
    pressures: int = 0
    messages: int = 0
    endless: int = 0
    merged: int = 0


class NoteScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A whole score. All lists are in the order of their ticks.

    Attributes:
        division: ticks per quarter note.
        tempos: the first one is at tick 0.
        meters: the first one is at tick 0.
        end: the last tick of the file.
    """

    division: Annotated[int, Meta(ge=1, le=2**15 - 1)]
    tempos: Annotated[tuple[TempoMark, ...], Meta(min_length=1, max_length=MOST_MARKS)]
    meters: Annotated[tuple[MeterMark, ...], Meta(min_length=1, max_length=MOST_MARKS)]
    keys: Annotated[tuple[KeyMark, ...], Meta(max_length=MOST_MARKS)] = ()
    markers: Annotated[tuple[Marker, ...], Meta(max_length=MOST_MARKS)] = ()
    parts: Annotated[tuple[NotePart, ...], Meta(min_length=1, max_length=MOST_PARTS)]
    end: Tick = 0
    losses: Losses = Losses()

    @property
    def last_tick(self) -> int:
        """Where the last note ends."""
        return max(note.end for part in self.parts for note in part.notes)


def encode_score(score: NoteScore) -> tuple[bytes, str]:
    """A score as it is stored, and its checksum."""
    data = msgspec.json.encode(score)
    return data, hashlib.sha256(data).hexdigest()


_decode = msgspec.json.Decoder(NoteScore).decode


def decode_score(data: bytes) -> NoteScore:
    """Read a stored score.

    Raises:
        ValueError: if it is none. msgspec's errors are of this kind.
    """
    score = _decode(data)
    if sum(len(part.notes) for part in score.parts) > MOST_EVENTS:
        raise ValueError(f"The score has more than {MOST_EVENTS} notes.")
    if score.tempos[0].tick or score.meters[0].tick:
        raise ValueError("The score has no tempo or no meter at its beginning.")
    return score


# The prefix of all stored scores. It is below that of the uploads, because the gateway writes there only; no folder of
# an API key has this name, because names of keys have no dot.
SCORES_PREFIX = f"{UPLOADS_PREFIX}played.scores/"


def score_key(owner: str | None, sha256: str) -> str:
    """The object key of a score that jobs of an API key play."""
    return f"{SCORES_PREFIX}{owner_folder(owner)}/{sha256}.json"


def beats_per_minute(tempo: TempoMark) -> Fraction:
    """A tempo as it was meant: 124, which files round, up or down, to 483871 microseconds per quarter note."""
    exact = Fraction(60_000_000, tempo.microseconds)
    for digits in range(4):
        found = Fraction(round(exact * 10**digits), 10**digits)
        if found and abs(60_000_000 / found - tempo.microseconds) < 1:
            return found
    return exact


class TempoMap:
    """The time of each tick."""

    def __init__(self, tempos: Sequence[TempoMark], division: int) -> None:
        self._ticks: list[int] = []
        self._seconds: list[float] = []
        self._lengths: list[float] = []
        for tempo in tempos:
            self._seconds.append(self.seconds(tempo.tick) if self._ticks else 0.0)
            self._ticks.append(tempo.tick)
            self._lengths.append(float(60 / (beats_per_minute(tempo) * division)))

    def seconds(self, tick: int) -> float:
        """The time of a tick since the beginning."""
        at = max(bisect.bisect_right(self._ticks, tick) - 1, 0)
        return self._seconds[at] + (tick - self._ticks[at]) * self._lengths[at]

    def tick(self, seconds: float) -> int:
        """The tick at a time, to the nearest one."""
        at = max(bisect.bisect_right(self._seconds, seconds) - 1, 0)
        return self._ticks[at] + round((seconds - self._seconds[at]) / self._lengths[at])


def bar_ticks(meter: MeterMark, division: int) -> Fraction:
    """Ticks of a bar."""
    return Fraction(4 * division * meter.beats, meter.unit)


def bar_of(score: NoteScore, tick: int) -> int:
    """The number of the bar at a tick, from 1. A change of meter begins a bar."""
    bars, ends = 0, [meter.tick for meter in score.meters[1:]]
    for meter, end in zip(score.meters, [*ends, None], strict=True):
        length = bar_ticks(meter, score.division)
        if end is None or tick < end:
            return bars + int((tick - meter.tick) // length) + 1
        bars -= int((meter.tick - end) // length)
    return bars


def full_bars(ticks: int, length: Fraction) -> int:
    """How many bars of `length` ticks so many ticks fill, at least one."""
    return max(ceil(ticks / length - OVERHANG), 1)


def joint(score: NoteScore) -> int:
    """The tick of the first bar line after the last note: where music begins that continues the score."""
    last = score.last_tick
    meter = [each for each in score.meters if each.tick < last or not each.tick][-1]
    length = bar_ticks(meter, score.division)
    return meter.tick + round(full_bars(last - meter.tick, length) * length)


def signed_key(score: NoteScore) -> Key | None:
    """The only key signature, unless it is C major: programs that know no key write that."""
    key = Key(score.keys[0].tonic, score.keys[0].minor) if len(score.keys) == 1 else None
    return None if key == Key(0, minor=False) else key
