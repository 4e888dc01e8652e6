"""Corrects the slips of models before anybody plays them: pieces keep tempo, grid and players.

A model draws every code by chance, some thousand a minute. One tempo drawn wrongly would take the rest of a take off
its grid; one player drawn wrongly would let a stranger play.
"""

import numpy as np

from worker.engine.sampler.codes import NOTHING, STOP, Codes, event_of
from worker.engine.sampler.conductor import (
    METER_PLACE,
    NOBODY,
    OPENING,
    PLAYER_PLACES,
    SECTION_PLACE,
    Conductor,
    bar_codes,
    read_header,
)
from worker.engine.sampler.instruments import HIT_STREAMS, PLAYERS, Stream
from worker.engine.sampler.score import Header, Section, Stop

# Bars after which what still sounds is released: nobody writes longer notes.
LONGEST = 4


class Proofreader:
    """One piece's, from its beginning."""

    def __init__(self) -> None:
        self._bars = _Bars()
        self._conductor = Conductor()
        self._parts = [_Part(stream) for stream in PLAYERS]

    def correct(self, codes: Codes) -> Codes:
        """The codes that follow as they were meant.

        Args:
            codes: int64 of shape [8, steps], of any values.
        """
        return np.array([self._correct(column) for column in codes.T], np.int64).reshape(-1, len(Stream)).T

    def _correct(self, column: Codes) -> list[int]:
        meant = self._bars.correct(int(column[Stream.CONDUCTOR]))
        self._conductor.read(meant)
        return [meant, *(part.correct(int(column[part.stream]), self._conductor) for part in self._parts)]


class _Bars:
    """All bars are whole. What the first one declares holds, but for sections, and players who take turns."""

    def __init__(self) -> None:
        self._codes = bar_codes(Header(), Section.VERSE)
        self._place = 0
        self._counts_in = True

    def correct(self, code: int) -> int:
        """What a code was meant to be; it is the next one."""
        if self._place < len(OPENING) and self._may_be(code):
            self._codes[self._place] = code
        meant = self._codes[self._place]
        self._place = (self._place + 1) % read_header(self._codes[METER_PLACE], Header()).steps
        self._counts_in = self._counts_in and self._place > 0
        return meant

    def _may_be(self, code: int) -> bool:
        first, end = OPENING[self._place]
        if not first <= code < end:
            return False
        if self._counts_in or self._place == SECTION_PLACE:
            return True
        takes_turns = NOBODY not in (code - first, self._codes[self._place] - first)
        return self._place in PLAYER_PLACES and takes_turns


class _Part:
    """Nobody plays who was not announced, and no note sounds for ever."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._sounding = 0

    def correct(self, code: int, conductor: Conductor) -> int:
        """What a code was meant to be, at the conductor's step."""
        player = conductor.player(self.stream)
        if conductor.counts_in or player is None:
            return NOTHING
        event = event_of(self.stream, code, player, conductor.header.key)
        if event is None:
            return self._go_on(LONGEST * conductor.header.steps)
        self._sounding = 0 if isinstance(event, Stop) else 1
        return code

    def _go_on(self, longest: int) -> int:
        if self._sounding == 0 or self.stream in HIT_STREAMS:
            return NOTHING
        self._sounding = (self._sounding + 1) % (longest + 1)
        return NOTHING if self._sounding else STOP
