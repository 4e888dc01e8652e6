"""What a prompt says: the result of reading it, for every model and for the gateway."""

from dataclasses import dataclass
from fractions import Fraction

from shared.music import Ignored, Key, Understood

__all__ = ["Ignored", "Reading", "SectionWish", "Understood"]

# What a section is called in plain words, if not by its name.
_CALLED = {"break": "breakdown", "build": "build-up", "fills": "drum fills"}


@dataclass(frozen=True, slots=True)
class SectionWish:
    """A section that a prompt asks for, and where: "an 8-bar breakdown in the middle".

    Attributes:
        name: "intro", "verse", "chorus", "bridge", "break", "build", "drop" or "outro"; "fills" for drum fills,
            "crescendo" if the whole piece grows.
        bar: the first one, from 1.
        seconds: where it begins.
        at: the same as a share of the piece.
        bars: its length.
    """

    name: str
    bar: int | None = None
    seconds: float | None = None
    at: float | None = None
    bars: int | None = None

    @property
    def called(self) -> str:
        """Its name in plain words."""
        return _CALLED.get(self.name, self.name)

    @property
    def phrase(self) -> str:
        """The wish in words that are read as the same wish."""
        length = f"{self.bars}-bar " if self.bars else ""
        if self.bar is not None:
            return f"{length}{self.called} at bar {self.bar}"
        if self.seconds is not None:
            return f"{length}{self.called} after {self.seconds:g} seconds"
        places = {None: "", 0.0: " at the start", 0.5: " in the middle", 0.75: " at the end"}
        return f"{length}{self.called}{places.get(self.at, '')}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt states; None or nothing where it states nothing. Names are those of `shared/prompt/data`.

    Attributes:
        tempo: the slowest and the fastest tempo in quarter notes a minute; usually equal.
        impossible_tempo: a number that the prompt calls a tempo but cannot be one, such as 0; None if the prompt also
            has a valid tempo.
        key: see `Key`.
        mode: "major" or "minor" if it names a mode, with or without a key.
        meter: such as 3/4.
        bars: the length in bars.
        seconds: the length in seconds.
        loop: whether the whole is to be a loop.
        genre: such as "trap"; see `shared/prompt/genres.py`.
        instruments: those that are wanted, in the prompt's order. "bass" and "drums" mean any of their kind.
        only: whether nothing but `instruments` is wanted: "only", "solo", "isolated", "stem of".
        refused: the instruments, parts (see `parts`) and "vocals" that are not wanted. "drums" and "bass" refuse all of
            their kind.
        moods: such as "happy".
        energy: "low", "medium" or "high".
        intro: whether an intro is wanted.
        outro: whether an ending is wanted: an outro or a fade.
        feel: "half-time", "double-time", "swing", "shuffle" or "straight".
        sections: those that it asks for, in its order.
        four_on_the_floor: whether the kick is struck on every beat.
        decade: such as "80s"; see `shared/prompt/decades.py`.
        parts: "melody", "chords", "arpeggio": those that it asks for.
        understood: the words that it has read, in the prompt's order.
        ignored_because: the content words that it has not read, or that no model can follow, in the prompt's order.
        words: the prompt without numbers that are not tempos (808, 80s, 320kbps), for models that take every number
            for one.
    """

    tempo: tuple[Fraction, Fraction] | None = None
    impossible_tempo: str | None = None
    key: Key | None = None
    mode: str | None = None
    meter: str | None = None
    bars: int | None = None
    seconds: float | None = None
    loop: bool = False
    genre: str | None = None
    instruments: tuple[str, ...] = ()
    only: bool = False
    refused: frozenset[str] = frozenset()
    moods: tuple[str, ...] = ()
    energy: str | None = None
    intro: bool = False
    outro: bool = False
    feel: str | None = None
    sections: tuple[SectionWish, ...] = ()
    four_on_the_floor: bool = False
    decade: str | None = None
    parts: tuple[str, ...] = ()
    understood: tuple[Understood, ...] = ()
    ignored_because: tuple[Ignored, ...] = ()
    words: str = ""

    @property
    def ignored(self) -> tuple[str, ...]:
        """The words of `ignored_because`."""
        return tuple(each.words for each in self.ignored_because)
