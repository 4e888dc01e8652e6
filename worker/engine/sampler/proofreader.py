"""Corrects invalid codes before they are played, so that a piece keeps its tempo, grid and players.

A model samples some thousand codes a minute. A single wrong tempo would shift the rest of the piece off its grid; a
single wrong player would bring in an undeclared instrument.
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
    place_code,
    place_of,
    read_header,
)
from worker.engine.sampler.instruments import HIT_STREAMS, PLAYERS, Stream
from worker.engine.sampler.score import LONGEST_BAR, Header, Section, Stop

# Bars after which a sounding note is released; the training data has no longer notes.
LONGEST = 4


class Proofreader:
    """Corrects one piece from its beginning."""

    def __init__(self) -> None:
        self._bars = _Bars()
        self._conductor = Conductor()
        self._parts = [_Part(stream) for stream in PLAYERS]

    def correct(self, codes: Codes) -> Codes:
        """Correct the next codes. The count-in is returned once it is complete.

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
    """Keeps bars whole, and the count-in's declarations constant, except sections and players that take turns.

    A code's value determines its place. Until a place is declared, its code is accepted anywhere, so that a count-in
    that is out of step loses nothing.
    """

    def __init__(self) -> None:
        opening = bar_codes(Header(), Section.VERSE)
        self._codes = opening + [place_code(place) for place in range(len(opening), LONGEST_BAR)]
        self._declared: set[int] = set()
        self._place = 0
        self._counts_in = True

    def correct(self, code: int) -> list[int]:
        """Correct the next code. Returns no codes during the count-in, and the whole bar at its end."""
        meant_for = place_of(code)
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
    """Drops events of streams without a player, and releases notes that sound too long."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._sounding = 0

    def correct(self, code: int, conductor: Conductor) -> int:
        """Correct a code at the conductor's current step."""
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
