"""What a caption states about its piece."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spec:
    """The properties that a caption states, and that its piece has. None, or no instruments: not stated.

    Attributes:
        genre: a word of the vocabulary.
        mood: a word of the vocabulary.
        tempo_word: a word of the vocabulary; never together with `bpm`.
        bpm: quarter notes a minute, 40 to 200.
        key: the tonic's pitch class, 0 is C; always together with `minor`.
        minor: whether the key is minor.
        beats: beats a bar; `unit` is their note value.
        instruments: words of the vocabulary, in the caption's order.
        drums: False for "no drums"; True for drums or a beat.
        bass: False for "no bass"; True for a bass line.
        solo: whether the named instruments play alone.
    """

    genre: str | None = None
    mood: str | None = None
    tempo_word: str | None = None
    bpm: int | None = None
    key: int | None = None
    minor: bool | None = None
    beats: int | None = None
    instruments: tuple[str, ...] = ()
    drums: bool | None = None
    bass: bool | None = None
    solo: bool = False
    unit: int = 4
