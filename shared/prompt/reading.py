"""What a prompt says: the result of reading it, for every model and for the gateway."""

from dataclasses import dataclass
from fractions import Fraction

from shared.music import Key, Understood

__all__ = ["Reading", "Understood"]


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
        parts: "melody", "chords", "arpeggio": those that it asks for.
        understood: the words that it has read, in the prompt's order.
        ignored: the content words that it has not read, or that no model can follow, in the prompt's order.
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
    genre: str | None = None
    instruments: tuple[str, ...] = ()
    only: bool = False
    refused: frozenset[str] = frozenset()
    moods: tuple[str, ...] = ()
    energy: str | None = None
    intro: bool = False
    outro: bool = False
    feel: str | None = None
    parts: tuple[str, ...] = ()
    understood: tuple[Understood, ...] = ()
    ignored: tuple[str, ...] = ()
    words: str = ""
