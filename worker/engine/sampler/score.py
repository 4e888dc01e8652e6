"""A score as the sampler plays it: a header, a section for each bar, and events on a grid of sixteenth notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from worker.engine.sampler.instruments import (
    CHORD_STREAMS,
    CRACKLE,
    HIT_STREAMS,
    INSTRUMENTS,
    KITS,
    NOTE_STREAMS,
    PIECES,
    Stream,
)

SLOWEST, FASTEST = 40, 200
STEPS_PER_BEAT = 4
LOWEST_PITCH, HIGHEST_PITCH = 24, 83
# A mood's index is its code: add names at the end only.
MOODS = (
    "energetic", "happy", "uplifting", "playful", "romantic", "dreamy", "peaceful", "relaxed", "nostalgic",
    "melancholic", "sad", "mysterious", "dark", "tense", "aggressive", "epic", "triumphant", "hopeful",
)  # fmt: skip


class Section(IntEnum):
    """The section that a bar belongs to. The piece ends where a bar `END` begins."""

    INTRO = 0
    VERSE = 1
    CHORUS = 2
    BRIDGE = 3
    BREAK = 4
    FILL = 5
    OUTRO = 6
    END = 7


class Quality(IntEnum):
    """A chord's quality, that is, its intervals above the root."""

    MAJOR = 0
    MINOR = 1
    DOMINANT7 = 2
    MAJOR7 = 3
    MINOR7 = 4
    POWER = 5


@dataclass(frozen=True, slots=True)
class Header:
    """Tempo, meter, swing, key and mood of a bar.

    Attributes:
        bpm: quarter notes a minute, 40 to 200.
        beats: quarter notes a bar, 3 or 4.
        swing: 0 is straight; 1 and 2 delay every second sixteenth, a little and much.
        key: the tonic's pitch class, 0 is C.
        minor: whether the key is minor.
        mood: one of `MOODS`, or None. The sampler ignores it; the model writes the other streams to fit it.

    Raises:
        ValueError: if a value is out of range.
    """

    bpm: int = 120
    beats: int = 4
    swing: int = 0
    key: int = 0
    minor: bool = False
    mood: str | None = None

    def __post_init__(self) -> None:
        if self.mood is not None and self.mood not in MOODS:
            raise ValueError(f"no mood is called {self.mood!r}")
        _check_range("bpm", self.bpm, SLOWEST, FASTEST)
        _check_range("beats", self.beats, 3, 4)
        _check_range("swing", self.swing, 0, 2)
        _check_range("key", self.key, 0, 11)

    @property
    def steps(self) -> int:
        """Sixteenths a bar: 12 or 16."""
        return self.beats * STEPS_PER_BEAT


@dataclass(frozen=True, slots=True)
class Stop:
    """Releases the stream's sounding notes."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note, which sounds until the stream's next event. For bass, arpeggio and lead.

    Attributes:
        instrument: one of the stream's `INSTRUMENTS`.
        pitch: MIDI key, 24 to 83.
        velocity: 0 (soft) to 2 (hard).
    """

    instrument: str
    pitch: int
    velocity: int = 1

    def __post_init__(self) -> None:
        _check_range("pitch", self.pitch, LOWEST_PITCH, HIGHEST_PITCH)
        _check_range("velocity", self.velocity, 0, 2)


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord, which sounds until the stream's next event; the sampler voices it. For chords and pad.

    Attributes:
        instrument: one of the stream's `INSTRUMENTS`.
        root: the root's pitch class, 0 is C.
        quality: see `Quality`.
        velocity: 0 (soft) or 1 (hard).
    """

    instrument: str
    root: int
    quality: Quality
    velocity: int = 1

    def __post_init__(self) -> None:
        _check_range("root", self.root, 0, 11)
        _check_range("velocity", self.velocity, 0, 1)


@dataclass(frozen=True, slots=True)
class Hits:
    """Kit pieces that are struck together. For drums and percussion.

    Attributes:
        kit: one of the stream's `KITS`. For vinyl crackle, any pieces switch it on and no pieces switch it off.
        pieces: some of the stream's `PIECES`; at least one, except for vinyl crackle.
        accent: 0 (soft) to 2 (hard).
    """

    kit: str
    pieces: frozenset[str]
    accent: int = 1

    def __post_init__(self) -> None:
        _check_range("accent", self.accent, 0, 2)
        if not self.pieces and self.kit != CRACKLE:
            raise ValueError("Hits without pieces")


Event = Note | Chord | Hits | Stop


@dataclass(frozen=True, slots=True)
class Score:
    """A whole piece.

    Attributes:
        header: holds for every bar.
        sections: one for each bar; the last bar may be cut short. `END` may only be the last: all streams stop at
            that bar's first step, without a `Stop` there. A final note may begin on that step.
        events: by stream (without the conductor's), then by step from 0. A stream without events may be absent.
            Within a bar a stream has one player.
        steps: number of sixteenth notes.

    Raises:
        ValueError: if the parts contradict each other.
    """

    header: Header
    sections: tuple[Section, ...]
    steps: int
    events: Mapping[Stream, Mapping[int, Event]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.sections) != -(-self.steps // self.header.steps):
            raise ValueError(f"{len(self.sections)} sections, but {self.steps} steps")
        if Section.END in self.sections[:-1]:
            raise ValueError("bars after the end")
        for stream, events in self.events.items():
            for step, event in events.items():
                self._check_step(step)
                check_event(stream, event)
            self._check_players(stream, events)

    def _check_players(self, stream: Stream, events: Mapping[int, Event]) -> None:
        players: dict[int, str] = {}
        for step, event in events.items():
            if (name := player_of(event)) and players.setdefault(step // self.header.steps, name) != name:
                raise ValueError(f"two players of {stream.name} in the bar of step {step}")

    def _check_step(self, step: int) -> None:
        _check_range("step", step, 0, self.steps - 1)
        if self.end_step is not None and step > self.end_step:
            raise ValueError(f"an event at {step}, after the end")

    @property
    def end_step(self) -> int | None:
        """The first step of the bar `END`; None without such a bar."""
        if self.sections and self.sections[-1] is Section.END:
            return (len(self.sections) - 1) * self.header.steps
        return None


def player_of(event: Event) -> str | None:
    """The instrument or kit that plays an event; None for a stop."""
    match event:
        case Stop():
            return None
        case Hits():
            return event.kit
        case _:
            return event.instrument


def check_event(stream: Stream, event: Event) -> None:
    """Check that a stream can play an event.

    Raises:
        ValueError: if it cannot.
    """
    match event:
        case Stop():
            fits = stream is not Stream.CONDUCTOR
        case Note():
            fits = stream in NOTE_STREAMS and event.instrument in INSTRUMENTS[stream]
        case Chord():
            fits = stream in CHORD_STREAMS and event.instrument in INSTRUMENTS[stream]
        case Hits():
            fits = stream in HIT_STREAMS and event.kit in KITS[stream] and event.pieces <= set(PIECES[stream])
    if not fits:
        raise ValueError(f"{event} is not for {stream.name}")


def _check_range(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is {value}, not {lowest} to {highest}")
