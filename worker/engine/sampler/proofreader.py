"""Corrects the slips of models before anybody plays them: pieces keep tempo, grid and players.

A model draws every code by chance, some thousand a minute. One tempo drawn wrongly would take the rest of a take off
its grid; one player drawn wrongly would let a stranger play.
"""

import numpy as np

from worker.engine.sampler.codes import NOTHING, STOP, Codes, event_of
from worker.engine.sampler.conductor import (
    METER_PLACE,
    NO_PLAYER,
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
        """The codes that follow as they were meant. The bar that is counted in comes when it is complete.

        Args:
            codes: int64 of shape [8, steps], of any values.
        """
        rows = [row for column in codes.T for row in self._correct(column)]
        return np.array(rows, np.int64).reshape(-1, len(Stream)).T

    def _correct(self, column: Codes) -> list[list[int]]:
        rows = []
        for meant in self._bars.correct(int(column[Stream.CONDUCTOR])):
            self._conductor.read(meant)
            parts = [part.correct(int(column[part.stream]), self._conductor) for part in self._parts]
            rows.append([meant, *parts])
        return rows


class _Bars:
    """All bars are whole. What the first one declares holds, but for sections, and players who take turns.

    Every code tells by itself which place it is meant for. Until something was declared, it may come at any place, so
    that a counted-in bar that is out of step loses nothing.
    """

    def __init__(self) -> None:
        self._codes = bar_codes(Header(), Section.VERSE)
        self._declared: set[int] = set()
        self._place = 0
        self._counts_in = True

    def correct(self, code: int) -> list[int]:
        """What a code was meant to be; it is the next one. Nothing while it is counted in, and then all of that bar."""
        meant_for = next((place for place, (first, end) in enumerate(OPENING) if first <= code < end), None)
        if meant_for is not None and self._may_be(meant_for, code):
            self._codes[meant_for] = code
            self._declared.add(meant_for)
        steps = read_header(self._codes[METER_PLACE], Header()).steps
        meant, self._place = self._codes[self._place], (self._place + 1) % steps
        if not self._counts_in:
            return [meant]
        self._counts_in = self._place > 0
        return [] if self._counts_in else self._codes[:steps]

    def _may_be(self, place: int, code: int) -> bool:
        if place not in self._declared and (self._counts_in or place in PLAYER_PLACES):
            return True
        if place != self._place:
            return False
        if self._counts_in or place == SECTION_PLACE:
            return True
        takes_turns = NO_PLAYER not in (code - OPENING[place][0], self._codes[place] - OPENING[place][0])
        return place in PLAYER_PLACES and takes_turns


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
