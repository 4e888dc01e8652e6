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

# The level of the scores that this package plays. A checkpoint declares the level that it was trained on, and writes
# only what that level has. Level 2 added: meters other than 3/4 and 4/4, swings from 3 on, the qualities DIMINISHED and
# SUSPENDED, the section BUILD, rolls, velocities of notes and accents of percussion from 3 on, of chords from 2 on.
LEVEL = 2
SLOWEST, FASTEST = 40, 200
STEPS_PER_BEAT = 4
LOWEST_PITCH, HIGHEST_PITCH = 24, 83
# Beats a bar, and the note value of a beat.
METERS = ((3, 4), (4, 4), (6, 8), (12, 8), (5, 4), (7, 8))
LONGEST_BAR = 24
SWUNG_EIGHTHS = 3
# Velocities of notes from the softest to the hardest. Later levels added to the codes of the first three.
LOUDNESS = (3, 0, 4, 1, 2, 5)
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
    BUILD = 8


class Quality(IntEnum):
    """A chord's quality, that is, its intervals above the root."""

    MAJOR = 0
    MINOR = 1
    DOMINANT7 = 2
    MAJOR7 = 3
    MINOR7 = 4
    POWER = 5
    DIMINISHED = 6
    SUSPENDED = 7


@dataclass(frozen=True, slots=True)
class Header:
    """Tempo, meter, swing, key and mood of a bar.

    Attributes:
        bpm: quarter notes a minute, 40 to 200.
        beats: beats a bar, which with `unit` are one of `METERS`.
        swing: 0 is straight, as all meters of eighths are; 1, 2, 4 and 5 delay every second sixteenth; 3 makes triplets
            of eighths. See worker/engine/sampler/clock.py.
        key: the tonic's pitch class, 0 is C.
        minor: whether the key is minor.
        mood: one of `MOODS`, or None. The sampler ignores it; the model writes the other streams to fit it.
        unit: the note value of a beat: 4 is a quarter, 8 an eighth.

    Raises:
        ValueError: if a value is out of range.
    """

    bpm: int = 120
    beats: int = 4
    swing: int = 0
    key: int = 0
    minor: bool = False
    mood: str | None = None
    unit: int = 4

    def __post_init__(self) -> None:
        if self.mood is not None and self.mood not in MOODS:
            raise ValueError(f"no mood is called {self.mood!r}")
        _check_range("bpm", self.bpm, SLOWEST, FASTEST)
        if (self.beats, self.unit) not in METERS:
            raise ValueError(f"no score is in {self.meter}")
        _check_range("swing", self.swing, 0, 5 if self.unit == 4 else 0)
        _check_range("key", self.key, 0, 11)

    @property
    def meter(self) -> str:
        """Such as 4/4."""
        return f"{self.beats}/{self.unit}"

    @property
    def steps(self) -> int:
        """Sixteenths a bar: 12 to 24."""
        return self.beats * 4 * STEPS_PER_BEAT // self.unit


@dataclass(frozen=True, slots=True)
class Stop:
    """Releases the stream's sounding notes."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note, which sounds until the stream's next event. For bass, arpeggio and lead.

    Attributes:
        instrument: one of the stream's `INSTRUMENTS`.
        pitch: MIDI key, 24 to 83.
        velocity: 0 (soft) to 2 (hard), 3 (very soft), 4 (between 0 and 1) or 5 (very hard).
    """

    instrument: str
    pitch: int
    velocity: int = 1

    def __post_init__(self) -> None:
        _check_range("pitch", self.pitch, LOWEST_PITCH, HIGHEST_PITCH)
        _check_range("velocity", self.velocity, 0, 5)


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord, which sounds until the stream's next event; the sampler voices it. For chords and pad.

    Attributes:
        instrument: one of the stream's `INSTRUMENTS`.
        root: the root's pitch class, 0 is C.
        quality: see `Quality`.
        velocity: 0 (soft), 1 (hard), 2 (very soft) or 3 (very hard).
    """

    instrument: str
    root: int
    quality: Quality
    velocity: int = 1

    def __post_init__(self) -> None:
        _check_range("root", self.root, 0, 11)
        _check_range("velocity", self.velocity, 0, 3)


@dataclass(frozen=True, slots=True)
class Hits:
    """Kit pieces that are struck together. For drums and percussion.

    Attributes:
        kit: one of the stream's `KITS`. For vinyl crackle, any pieces switch it on and no pieces switch it off.
        pieces: some of the stream's `PIECES`; at least one, except for vinyl crackle.
        accent: 0 (soft) to 2 (hard); in the percussion also 3 to 5, as the velocity of notes.
        roll: how often the pieces are struck within the step, 1 to 4. Only the closed hi-hat of the drums, alone and
            with accent 1, has rolls.
    """

    kit: str
    pieces: frozenset[str]
    accent: int = 1
    roll: int = 1

    def __post_init__(self) -> None:
        _check_range("accent", self.accent, 0, 5)
        _check_range("roll", self.roll, 1, 4)
        if self.roll > 1 and (self.pieces, self.accent) != (ROLLED, 1):
            raise ValueError("only a closed hi-hat with accent 1 has rolls")
        if not self.pieces and self.kit != CRACKLE:
            raise ValueError("Hits without pieces")


ROLLED = frozenset({"closed_hat"})
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
            fits &= event.accent <= 2 or stream is Stream.PERCUSSION
    if not fits:
        raise ValueError(f"{event} is not for {stream.name}")


def _check_range(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is {value}, not {lowest} to {highest}")
