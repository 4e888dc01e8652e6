"""The score of a finished take: what is stored of it, and what an edit reads from that."""

import math
from array import array
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from shared.edits import STREAMS, StoredScore, pack_codes, unpack_codes
from shared.music import HIGHEST_BPM, LOWEST_BPM
from worker.engine.sampler.clock import step_length
from worker.engine.sampler.codes import Codes, decode
from worker.engine.sampler.conductor import EMPTY, Players, bar_codes, name_of, read_players
from worker.engine.sampler.instruments import PLAYERS, Stream
from worker.engine.sampler.proofreader import Proofreader
from worker.engine.sampler.score import Header, Score, Section


def store_score(codes: Codes, tempo: Fraction, samples: int, *, caption: str, first_step: int = 0) -> StoredScore:
    """Pack a score.

    Args:
        codes: corrected codes of shape [8, steps], count-in included, of the steps that begin within the audio.
        tempo: see `Clock`.
        samples: length of the audio, without the tail of a loop.
        caption: the words that the model was given.
        first_step: see `Clock`.
    """
    packed = pack_codes(array("H", codes.astype(np.uint16).tobytes()))
    return StoredScore(codes=packed, tempo=str(tempo), samples=samples, caption=caption, first_step=first_step)


@dataclass(frozen=True, eq=False)
class OldScore:
    """A parent's score.

    Attributes:
        codes: corrected codes of shape [8, steps]; the count-in is one bar.
        stored: as it was stored.
    """

    codes: Codes
    stored: StoredScore

    @classmethod
    def read(cls, stored: StoredScore) -> "OldScore":
        """Unpack a score.

        Raises:
            ValueError: if it has no bar, or a tempo that is not played.
        """
        codes = np.frombuffer(unpack_codes(stored), np.uint16).reshape(STREAMS, -1).astype(np.int64)
        # Changes nothing in a score that the sampler has played; a client may have sent another one.
        score = cls(Proofreader().correct(codes), stored)
        if score.length <= score.bar_steps:
            raise ValueError("The score has no bar.")
        if not LOWEST_BPM <= score.tempo <= HIGHEST_BPM:
            raise ValueError(f"The score has {stored.tempo} BPM; only {LOWEST_BPM:g} to {HIGHEST_BPM:g} are played.")
        return score

    def columns(self, samples: int) -> int:
        """How many columns of codes have steps that begin within this much audio, count-in included."""
        # As in `CountIn.frames`.
        return self.bar_steps + math.ceil((samples - Fraction(1, 2)) / step_length(self.tempo))

    @property
    def tempo(self) -> Fraction:
        return self.stored.exact_tempo

    @cached_property
    def score(self) -> Score:
        return decode(self.codes)

    @property
    def header(self) -> Header:
        return self.score.header

    @property
    def bar_steps(self) -> int:
        """Steps of a bar, and of the count-in."""
        return self.header.steps

    @property
    def length(self) -> int:
        """Columns of the codes, count-in included."""
        return int(self.codes.shape[1])

    def players(self, columns: int) -> Players:
        """The players that the first columns declare for the next bar."""
        players = EMPTY
        for code in self.codes[Stream.CONDUCTOR, :columns]:
            players = read_players(int(code), players)
        return players

    @cached_property
    def playing(self) -> tuple[Stream, ...]:
        """The streams that have a player: those of the count-in, because later bars only replace players."""
        first = self.players(self.bar_steps)
        return tuple(stream for stream in PLAYERS if name_of(stream, first) is not None)

    def bar(self, players: Players) -> list[int]:
        """The conductor's codes of a bar in this piece's tempo, meter, key and mood, whose section is to be chosen."""
        return bar_codes(self.header, Section.VERSE, players)

    def sounds_at(self, stream: Stream, column: int) -> bool:
        """Whether a note of before a column sounds in it, or one begins there."""
        events = np.flatnonzero(self.codes[stream, : column + 1])
        return bool(events.size) and int(self.codes[stream, events[-1]]) > 1
