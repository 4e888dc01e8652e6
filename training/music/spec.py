"""What a caption says about its piece."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spec:
    """What is said, and so must hold; None, or no instruments, where nothing is said.

    Attributes:
        genre: one of the vocabulary's.
        mood: one of the vocabulary's.
        tempo_word: one of the vocabulary's; never together with `bpm`.
        bpm: quarter notes a minute, 40 to 200.
        key: the tonic's pitch class, 0 is C; always together with `minor`.
        minor: whether the key is minor.
        beats: quarter notes a bar, 3 or 4.
        instruments: of the vocabulary, in the caption's order.
        drums: False for "no drums"; True where drums or a beat are asked for.
        bass: False for "no bass"; True where a bass line is asked for.
        solo: the named instruments play alone.
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
