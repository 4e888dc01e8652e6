"""Edits of a take: what a child keeps of its parent's score or audio, and what is composed again."""

import zlib
from array import array
from fractions import Fraction
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.job_id import JOB_ID_PATTERN
from shared.played_score import Program

EditKind = Literal["vary", "extend", "replace", "play"]
Place = Literal["start", "end"]
StreamName = Literal["bass", "chords", "pad", "arpeggio", "lead", "drums", "percussion"]

# The streams of a score, the conductor's first, and how many codes each has; worker/engine/sampler/codes.py explains
# them.
STREAMS, CODES = 8, 386
# Two hours at the fastest tempo: no take is longer.
MOST_STEPS = 100_000


class StoredScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The score of a finished take, of which its children are made.

    Attributes:
        codes: uint16 in little-endian order of shape [8, steps], compressed by zlib.
        tempo: quarter notes per minute, a fraction such as 124 or 185/2.
        samples: length of the audio that the engine made, without the tail of a loop.
        caption: the words that the model was given.
        first_step: the number of the first step; negative if bars were added in front. It seeds the humanising, so
            that the old part sounds as before.
    """

    codes: bytes
    tempo: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,19}(/[1-9][0-9]{0,19})?$")]
    samples: Annotated[int, Meta(ge=1, le=2**31)]
    caption: Annotated[str, Meta(max_length=1000)] = ""
    first_step: Annotated[int, Meta(ge=-MOST_STEPS, le=0)] = 0

    @property
    def exact_tempo(self) -> Fraction:
        return Fraction(self.tempo)


class ParentAudio(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a finished take whose model writes no score, of which its children are made.

    It is stored for each child by its checksum when the child is accepted.

    Attributes:
        sha256: of the file, in hex.
        size: of the file, in bytes.
    """

    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Meta(ge=1, le=2**40)]


class Edit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a take is made of its parent: of its score, or of its audio if the model writes no score.

    With a score, the child can be made again without the parent; with audio, as long as the parent's is stored.

    Attributes:
        kind: which edit.
        parent: the parent's job id.
        score: the parent's.
        audio: the parent's.
        from_bar, to_bar: the bars to replace, counted from 1, both included.
        streams: the streams to compose; none means all.
        prompt: describes the replaced bars.
        from_seconds, to_seconds: with `audio`, where the new audio begins and ends; without an end it lasts to the end
            of the child.
        strength: of `vary`: the share of bars and streams that are composed; with `audio`, of the take.
        at: where `extend` adds bars.
        programs: of `play`: General MIDI programs from 0 that replace those of streams. Its `streams` are the only ones
            to play; none means all.
    """

    kind: EditKind
    parent: Annotated[str, Meta(pattern=JOB_ID_PATTERN)]
    score: StoredScore | None = None
    from_bar: Annotated[int, Meta(ge=1)] | None = None
    to_bar: Annotated[int, Meta(ge=1)] | None = None
    streams: tuple[StreamName, ...] = ()
    prompt: Annotated[str, Meta(max_length=500)] | None = None
    strength: Annotated[float, Meta(ge=0, le=1)] | None = None
    at: Place | None = None
    programs: dict[StreamName, Program] = {}
    audio: ParentAudio | None = None
    from_seconds: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    to_seconds: Annotated[float, Meta(ge=0, le=86_400)] | None = None

    def __post_init__(self) -> None:
        if (self.score is None) == (self.audio is None):
            raise ValueError("Give either score or audio")
        if self.audio is not None and self.from_seconds is None:
            raise ValueError("audio needs from_seconds")

    @property
    def known_score(self) -> StoredScore:
        """The score of a take that has one."""
        assert self.score is not None, "the engine works on scores only"
        return self.score


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """How the bars of a child were composed.

    Attributes:
        candidates: how many were composed.
        chosen: the number of the one in the file, from 1: after it, the model finds what follows most likely.
        likelihoods: of each candidate, the mean log-likelihood of a code of the bars that follow; None without any.
        from_seconds, to_seconds: the part of the file that was composed.
        tail_seconds: for how long after that the last composed notes, and those that they replaced, die away. Before
            mastering, all samples outside of the part and the tail are the parent's.
        crossfade_seconds: of a child of audio: for how long before `from_seconds`, and before `to_seconds` where old
            audio follows, old and new audio overlap. All samples outside of that and of the part are the parent's.
    """

    candidates: int
    chosen: int
    likelihoods: tuple[float, ...] | None = None
    from_seconds: float | None = None
    to_seconds: float | None = None
    tail_seconds: float | None = None
    crossfade_seconds: float | None = None


def pack_codes(codes: "array[int]") -> bytes:
    """Compress uint16 codes in this machine's byte order."""
    return zlib.compress(_little_endian(codes).tobytes(), 9)


def unpack_codes(score: StoredScore) -> "array[int]":
    """The codes of a score as uint16, stream by stream.

    Raises:
        ValueError: if they are none.
    """
    reader, codes = zlib.decompressobj(), array("H")
    try:
        data = reader.decompress(score.codes, 2 * STREAMS * MOST_STEPS)
    except zlib.error as error:
        raise ValueError(f"The codes of the score cannot be decompressed: {error}.") from error
    if not reader.eof or len(data) % (2 * STREAMS) or not data:
        raise ValueError(f"The codes of the score are not {STREAMS} streams of equal length.")
    codes.frombytes(data)
    codes = _little_endian(codes)
    if max(codes) >= CODES:
        raise ValueError(f"The score has the code {max(codes)}; codes are below {CODES}.")
    return codes


def _little_endian(codes: "array[int]") -> "array[int]":
    """Swap the bytes on a machine whose order is the other one."""
    if array("H", b"\1\0")[0] != 1:
        codes = codes[:]
        codes.byteswap()
    return codes
