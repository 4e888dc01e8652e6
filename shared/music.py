"""Bars, meters and keys: how requests spell them, and what a job's record says about its music."""

import re
from fractions import Fraction
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.edits import Composed, StoredScore

LOWEST_BPM, HIGHEST_BPM = 40.0, 240.0
MOST_BARS = 128
# The tempo of a request that gives bars, but neither it nor its prompt names a tempo.
DEFAULT_BPM = 120.0
DEFAULT_METER = "4/4"
MOST_BEATS = 16
UNITS = (2, 4, 8, 16)

Bars = Annotated[int, Meta(ge=1, le=MOST_BARS)]
# Quarter notes per minute, whatever the meter, as in DAWs.
Bpm = Annotated[float, Meta(ge=LOWEST_BPM, le=HIGHEST_BPM)]

# The twelve tonics in their usual spelling for each mode.
_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1, "sharp": 1, "flat": -1}
_KEY = re.compile(r"([A-Ga-g])[ -]?(#|♯|b|♭|(?i:sharp|flat)|)[ -]?((?i:major|minor|maj|min)|m|M|)", re.ASCII)
_METER = re.compile(r"([1-9]\d?)/(\d{1,2})", re.ASCII)


class Key(msgspec.Struct, frozen=True):
    """A key: `tonic` is the pitch class, 0 is C."""

    tonic: int
    minor: bool

    @property
    def name(self) -> str:
        """The long form in the usual spelling, such as A minor."""
        return f"{(_MINOR if self.minor else _MAJOR)[self.tonic]} {'minor' if self.minor else 'major'}"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that plays in the music: its General MIDI program from 0, and its MIDI channel from 1."""

    name: str
    stream: str
    program: int | None = None
    channel: int | None = None


class SectionStart(msgspec.Struct, frozen=True, kw_only=True):
    """Where a section of the music starts: `bar` counts from 1, `start` is in seconds."""

    name: str
    bar: int
    start: float


class Understood(msgspec.Struct, frozen=True):
    """Words of a prompt, as they were written, and what they mean, such as "124 bpm" and "124 BPM"."""

    words: str
    meaning: str = msgspec.field(name="as")


class Ignored(msgspec.Struct, frozen=True):
    """Words of a prompt, as they were written, and why the music does not follow them."""

    words: str
    because: str


class Music(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The music of a finished job, as its score or its request states it; None is unknown.

    Attributes:
        bpm: quarter notes per minute.
        key: in the long form.
        meter: such as 4/4.
        bars: whole bars in the file; None if it ends within a bar.
        sections: in order; only models that write scores know them.
        instruments: only models that write scores know them.
        understood: what the model that played it took the prompt's words for, in their order; None if it hands the
            prompt to a text encoder alone.
        ignored: the content words that it did not follow, in their order; None like `understood`.
        ignored_because: the same words, and why.
        score: only of models that write scores; children of the take are made of it.
        composed: only of children.
    """

    bpm: float | None = None
    key: str | None = None
    meter: str | None = None
    bars: int | None = None
    sections: tuple[SectionStart, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    understood: tuple[Understood, ...] | None = None
    ignored: tuple[str, ...] | None = None
    ignored_because: tuple[Ignored, ...] | None = None
    score: StoredScore | None = None
    composed: Composed | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements of a finished job's audio; None is not measured.

    Attributes:
        bpm: quarter notes per minute.
        bpm_confidence: 0 to 1.
        key: in the long form.
        key_confidence: 0 to 1.
        lufs: integrated loudness after ITU-R BS.1770-4.
        true_peak_dbtp: the highest level between the samples, in decibels below full scale.
        downbeats: first beats of bars, in seconds.
        gain_db: what mastering added to the level of the engine's audio.
    """

    bpm: float | None = None
    bpm_confidence: float | None = None
    key: str | None = None
    key_confidence: float | None = None
    lufs: float | None = None
    true_peak_dbtp: float | None = None
    downbeats: tuple[float, ...] = ()
    gain_db: float | None = None


def parse_key(text: str) -> Key:
    """Read a key: "A minor", "Am", "F#m", "Bb", "C# major". A tonic alone is major.

    Raises:
        ValueError: with examples, if it is no key.
    """
    match = _KEY.fullmatch(" ".join(text.split()))
    if match is None:
        raise ValueError(f"{text!r} is no key. Examples: A minor, F# major, Am, F#m, Bb.")
    letter, sign, mode = match.groups()
    return Key((_NATURALS[letter.upper()] + _SIGNS[sign.lower()]) % 12, mode == "m" or mode.lower() in ("minor", "min"))


def bar_quarters(meter: str) -> Fraction:
    """Quarter notes in a bar: 4 in 4/4, 3 in 6/8, 7/2 in 7/8.

    Raises:
        ValueError: with examples, if `meter` is no meter.
    """
    match = _METER.fullmatch(meter)
    if match is None or int(match[1]) > MOST_BEATS or int(match[2]) not in UNITS:
        raise ValueError(f"{meter!r} is no meter. Examples: 4/4, 3/4, 6/8, 7/8.")
    return Fraction(4 * int(match[1]), int(match[2]))


def playable_tempo(tempo: Fraction) -> Fraction:
    """A tempo above zero, doubled or halved until it is one that bars can have."""
    while tempo > HIGHEST_BPM:
        tempo /= 2
    while tempo < LOWEST_BPM:
        tempo *= 2
    return tempo


def bar_seconds(bpm: float, meter: str = DEFAULT_METER) -> Fraction:
    """The exact length of a bar in seconds."""
    return bar_quarters(meter) * 60 / Fraction(bpm)


def grid_samples(bars: int, bpm: float, meter: str, sample_rate: int) -> int:
    """The length of whole bars in samples, to the nearest sample."""
    return round(bars * bar_seconds(bpm, meter) * sample_rate)
